"""A site's jobs at its server: begun, found again by a later load, waited for, and given back.

Kept in the landing zone beside the loads: many servers allow one export a client, or one a day.
"""

from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from connectors.client.fhir_client import Answer, FhirClient, Gone
from connectors.landing import Landing
from connectors.outside.times import pause_after
from connectors.roads.bulk.kick_off import Accepted, KickOff
from connectors.roads.bulk.messages import issues
from connectors.source import Source
from schemas.errors import MainstemError, OperatorError, TemporaryError

JOBS = "exports"
"""The cursor's name."""
SHORTEST_POLL, USUAL_POLL, LONGEST_POLL = 0.5, 5.0, 60.0
"""Seconds between questions whether an export is ready; the server's Retry-After is followed between them."""
TROUBLES = 6
"""Errors in a row after which the status is asked no further; the next call comes back to the same job."""
FORGETFUL = 3
"""How often in a row a server must not know a job that it knew: of several machines one may not."""
TROUBLED_FOR = timedelta(days=1)
"""Age from which a job whose status gives errors only is given up."""
KEPT_FOR = timedelta(days=30)
"""Age from which no server keeps a job."""
FAILURES, WITHIN = 3, timedelta(days=1)
"""Failed exports after which no other is begun, until the first of them is that old."""
OWED = 20
STATUSES = (200, 202, 400, 408, 409, 422, 423, 425, 429, *range(500, 600))
_AWAY = frozenset({502, 503, 504})
"""What is said in front of a server that is not there."""
_DELETED = (200, 202, 204, 404, 410)


class Asked(msgspec.Struct, frozen=True):
    """What a job exports: another asking is another job."""

    types: list[str]
    since: datetime | None
    group: str | None
    more: dict[str, str | list[str]] = {}


class Job(msgspec.Struct, frozen=True):
    """An export that the server works on, or keeps for us."""

    status_url: str
    began: datetime
    as_of: datetime
    """The same by our clock or the server's, whichever is earlier: what changed before it is in the export."""
    asked: Asked
    refused: list[str] = []
    """Types that the server would not export."""


class Kept(msgspec.Struct):
    """What of a site is at its server."""

    job: Job | None = None
    owed: list[str] = []
    """Status URLs of jobs that are still to be deleted."""
    failed: list[datetime] = []


def give_up_jobs(source: Source, landing: Landing) -> None:
    """Gives back what a site that is no longer read by exports left at its server; nothing, nearly always."""
    kept = landing.of_site().cursor(JOBS, Kept)
    if kept is None or not (kept.job or kept.owed):
        return
    with source.client() as client:
        Jobs(client, source, landing, None).give_up()


def delete_job(client: FhirClient, url: str) -> None:
    """Tells the server that nobody waits for it. Raises MainstemError."""
    client.ask("DELETE", url, what="deleting the export", accepted=_DELETED, headers={"Accept": "application/json"})


class JobFailed(Exception):
    """The server has given the export up."""


class Jobs:
    """The jobs of one site."""

    def __init__(self, client: FhirClient, source: Source, landing: Landing, since: datetime | None) -> None:
        self.client, self.source, self.since = client, source, since
        self.notes: list[str] = []
        self._folder = landing.of_site()
        self._kept = self._folder.cursor(JOBS, Kept) or Kept()
        more: dict[str, str | list[str]] = {str(name): value for name, value in source.fhir.bulk_parameters.items()}
        self._unknown = ""
        """Status URL of a job that was begun just now: not all of the server may know it yet."""
        self._asked = Asked(sorted(source.site.types), since, next(iter(source.fhir.groups), None), more)

    def current(self) -> Job:
        """The job that exports what is wanted: the one that is there, else a new one."""
        kept, job = self._kept, self._kept.job
        if job is not None and self._serves(job):
            return job
        if job is not None:
            self.give_back(job)
        self._pay_what_is_owed()
        self._spare_the_server()
        began = self.client.clock()
        accepted = self._accepted()
        try:
            url = accepted.status_url(self.client)
        except MainstemError:  # it may be at work all the same, and nobody can give it back
            self._note_lost()
            raise
        kept.job = Job(url, began, min(began, accepted.date or began), self._asked, accepted.refused)
        self._save()
        self._unknown = kept.job.status_url
        return kept.job

    def _serves(self, job: Job) -> bool:
        young = self.client.clock() < job.began + KEPT_FOR
        return young and job.asked == self._asked and self.client.origins.own_or_allowed(job.status_url)

    def _accepted(self) -> Accepted:
        kick_off = KickOff(self.client, self.source, self.since)
        try:
            accepted = kick_off.ask()
        except TemporaryError as busy:
            if not kick_off.in_the_way:
                raise
            try:
                self._delete(kick_off.in_the_way)  # what a crash between the answer and our note of it left behind
            except MainstemError:
                raise busy from None  # that is what is to be waited for
            accepted = kick_off.ask()
        self.notes += kick_off.notes
        return accepted

    def _spare_the_server(self) -> None:
        now = self.client.clock()
        self._kept.failed = [at for at in self._kept.failed if now - WITHIN < at <= now]
        if len(self._kept.failed) >= FAILURES:
            raise TemporaryError(
                f"the server failed {len(self._kept.failed)} exports within a day; no other is begun",
                f"Find why they failed. The next is begun after {self._kept.failed[0] + WITHIN:%Y-%m-%d %H:%M} UTC.",
                who="EHR vendor",
            )

    # ------------------------------------------------------------ waiting

    def wait(self, url: str, job: Job) -> Answer:
        """The answer of status 200. Raises JobFailed, Gone, and TemporaryError while it does not come: the job is kept."""
        began, troubles = self.client.clock(), 0
        while True:
            try:
                answer = self._status(url)
            except Gone:
                troubles += 1
                if troubles >= (TROUBLES if job.status_url == self._unknown else FORGETFUL):
                    raise
                self.rest()
                continue
            self._unknown = ""
            if answer.status == 200:
                return answer
            if answer.status in (202, 429):
                troubles = 0
            else:
                troubles += 1
                self._require_alive(answer, job, troubles)
            self._pause(answer, began, troubles)

    def rest(self) -> None:
        """A moment, after which what was wrong may have passed."""
        self.client.sleep(USUAL_POLL)

    def is_known(self, job: Job) -> bool:
        """Whether the server still knows the job. Raises TemporaryError where it does not answer at all."""
        try:
            answer = self._status(job.status_url)
        except Gone:
            return False
        except OperatorError:
            return True  # it answers
        if answer.status in _AWAY:
            raise self._not_told(answer, job)
        return True

    def _status(self, url: str) -> Answer:
        return self.client.ask(
            "GET", url, what="the export's status", accepted=STATUSES, headers={"Accept": "application/json"}
        )

    def _require_alive(self, answer: Answer, job: Job, troubles: int) -> None:
        """A server says 500 of what is fatal and of what passes; only the first ends the job."""
        fatal = any(issue.level == "fatal" for issue in issues(answer.content))
        if fatal or (troubles >= TROUBLES and self.client.clock() > job.began + TROUBLED_FOR):
            raise JobFailed
        if troubles >= TROUBLES:
            raise self._not_told(answer, job)

    def _not_told(self, answer: Answer, job: Job) -> TemporaryError:
        return TemporaryError(
            f"the export's status cannot be asked: {self.client.origins.place(job.status_url)} answered {answer.status}",
            "Run it again: it comes back to the same job.",
        )

    def _pause(self, answer: Answer, began: datetime, troubles: int) -> None:
        now, minutes = self.client.clock(), self.source.fhir.bulk_wait_minutes
        if now >= began + timedelta(minutes=minutes):
            raise TemporaryError(
                f"the export is not ready after {minutes:g} minutes",
                "Run it again: it comes back to the same job. Raise fhir.bulk_wait_minutes for a large site.",
            )
        asked = pause_after(answer.headers.get("Retry-After", ""), now)
        usual = USUAL_POLL * 2 ** max(0, troubles - 1)
        pause = min(max(usual if asked is None else asked, SHORTEST_POLL), LONGEST_POLL)
        self.client.patience.waits("the server has not made its export yet", pause)
        (self.source.export_wait or self.client.sleep)(pause)

    # ------------------------------------------------------------ giving back

    def give_back(self, job: Job) -> None:
        """Tell the server that it may forget the job: Epic wants it, and the files hold patients' data."""
        self._forget(job)
        try:
            self._delete(job.status_url)
        except MainstemError as exc:
            self._kept.owed = [*self._kept.owed, job.status_url][-OWED:]
            self.notes.append(f"the export could not be deleted at the server: {exc.cause}")
        self._save()

    def give_up(self) -> None:
        """All that is at the server."""
        if self._kept.job is not None:
            self.give_back(self._kept.job)
        self._pay_what_is_owed()

    def forget(self, job: Job) -> None:
        """The server forgot it already."""
        if self._kept.job is not None and self._kept.job.status_url == job.status_url:
            self._forget(job)
            self._note_lost()

    def _note_lost(self) -> None:
        """One more that came to nothing: a server that loses each is not asked for one after the other."""
        self._kept.failed.append(self.client.clock())
        self._save()

    def note_failed(self, job: Job) -> None:
        """The server failed it."""
        self._kept.failed.append(self.client.clock())
        self.give_back(job)

    def note_ready(self) -> None:
        """The server finished one."""
        if self._kept.failed:
            self._kept.failed = []
            self._save()

    def _forget(self, job: Job) -> None:
        if self._kept.job is not None and self._kept.job.status_url == job.status_url:
            self._kept.job = None

    def _pay_what_is_owed(self) -> None:
        for url in list(self._kept.owed):
            with suppress(MainstemError):
                self._delete(url)
                self._kept.owed.remove(url)
        self._save()

    def _delete(self, url: str) -> None:
        delete_job(self.client, url)

    def _save(self) -> None:
        self._folder.save_cursor(JOBS, self._kept)
