"""`mainstem check kafka`: from the host's name to the topics' settings, each tried on its own, each told within seconds."""

from collections.abc import Callable

from kafka.errors import KafkaError

from mainstem.check.finding import Finding, failed, tried
from mainstem.kafka.settings import KafkaSettings, Probe, explain, probe
from mainstem.kafka.topics import administration, check_topics
from schemas.errors import MainstemError, OperatorError, TemporaryError

TLS_FAULTS = {
    "hostname mismatch": ("TLS: host name", "Name the broker as its certificate does, in MAINSTEM_KAFKA."),
    "ip address mismatch": ("TLS: host name", "Name the broker as its certificate does, in MAINSTEM_KAFKA."),
    "certificate has expired": ("TLS: certificate", "Have the broker's certificate renewed."),
    "self-signed": ("TLS: authority", "Name the authority that signed it in MAINSTEM_KAFKA_CA_FILE."),
    "local issuer": ("TLS: authority", "Name the authority that signed it in MAINSTEM_KAFKA_CA_FILE."),
    "certificate_required": (
        "TLS: our certificate",
        "Set MAINSTEM_KAFKA_CERTIFICATE_FILE and MAINSTEM_KAFKA_KEY_FILE.",
    ),
}
"""What OpenSSL says → what is wrong, and what to do."""


def check_kafka(settings: KafkaSettings, network: str, *, partitions: int, replication: int) -> list[Finding]:
    """What was tried, up to the first stage at which nothing answers."""
    findings = [_reached(found) for found in probe(settings)]
    if not any(finding.ok for finding in findings):
        return findings
    findings.append(tried("SASL" if settings.security_protocol.startswith("SASL") else "log-in", _log_in(settings)))
    if findings[-1].ok:
        findings += _topics(settings, network, partitions, replication)
    return findings


def _reached(found: Probe) -> Finding:
    """How far one address let us come."""
    if not found.stage:
        return Finding(found.server, True, "answers")
    fix = "Correct MAINSTEM_KAFKA, or start the broker."
    stage: str = found.stage
    if stage == "TLS":
        said = found.detail.lower()
        stage, fix = next(
            (told for words, told in TLS_FAULTS.items() if words in said),
            ("TLS", "Set MAINSTEM_KAFKA_SECURITY as the broker's listener has it."),
        )
    error = TemporaryError if found.is_passing else OperatorError
    return failed(f"{found.server}: {stage}", error(f"{stage} failed ({found.detail})", fix))


def _log_in(settings: KafkaSettings) -> Callable[[], str]:
    def log_in() -> str:
        with administration(settings) as admin:
            return f"let in; {len(admin.describe_cluster()['brokers'])} broker(s)"

    return log_in


def _topics(settings: KafkaSettings, network: str, partitions: int, replication: int) -> list[Finding]:
    """Whether we may look at the topics, and how they are."""
    try:
        differ = check_topics(settings, network, partitions=partitions, replication=replication)
    except (MainstemError, KafkaError) as exc:
        problem = exc if isinstance(exc, MainstemError) else explain(settings, exc)
        denied = OperatorError(problem.cause, problem.fix or "Grant the rights: `mainstem topics allow`.")
        return [failed("ACL", denied)]
    if not differ:
        return [Finding("topics", True, "as they should be")]
    return [failed(f"topic {each.topic}", OperatorError(each.what, each.fix)) for each in differ]
