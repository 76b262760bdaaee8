"""What docs/events.md says in sentences."""

BEFORE = """
# Events

What the network's Kafka topics carry, for who reads them. Made from the models by `mainstem schemas`; the same for machines:
`schemas/generated/asyncapi.yaml` (AsyncAPI 3) and a JSON Schema a record type, in the wheel and under `/schemas/` of the registry.

An event is CloudEvents 1.0 in Kafka's binary mode: facts in headers, JSON in the value. A **withdrawal** has no value at all (a
tombstone), so that compaction removes the record; its headers and key are those of any other event, with its record type in
`ce_dataschema` and its sequence in `ce_sequence`. A withdrawal means that the record is not true, or not known any more: delete it.

## Reading them

- **From the beginning.** The outcome topic is compacted: read from its first offset it holds the current state of every record, and from
  then on every change. Start with `auto.offset.reset=earliest` and a new group, and `isolation.level=read_committed`.
- **In order.** All records of a subject lie in one partition (murmur2 of the subject, Kafka's default hash, of the key up to the slash), so
  the changes of a record arrive in order. Copies may come, with the same `ce_id`; keep the highest `ce_sequence` of each record, by
  epoch, then sequence, and drop what is not higher. A record that goes over to another subject is withdrawn under the old key and recorded
  under the new one, in two partitions: there, too, let the sequence decide.
- **What you do not know.** Pass over a record type, a flag, a header or a field that you do not know: more may come within a major
  version. Fields are added and removed only while they are optional; another major is another topic.
- **When you were away.** Withdrawals stay 30 days. Who comes back later may have missed some: empty your tables and read from the beginning.
- **When the topic is another.** Brokers may be lost, and all be told again into topics of the same names: an offset of before then lies
  anywhere. Keep the topic's id (Kafka tells it with its partitions) beside your offsets; where it differs, read from the beginning.
- **When your handler raises.** With our kit: `PoisonError` puts the event aside as a dead letter and goes on; `TemporaryError` tries again
  with growing pauses; anything else ends the run with nothing of the transaction kept, and the next run begins there. Without it: do not
  commit the offset before the effect is kept.
- **Compression.** Events are compressed by lz4 unless the site sets `MAINSTEM_KAFKA_COMPRESSION` to `gzip` or `none`. Whoever makes the
  topics sets the same: brokers then store in it (`compression.type`) whatever a producer sends, so that none brings what others cannot
  unpack. What a client needs:

| client | lz4 | gzip |
| --- | --- | --- |
| Java, librdkafka (C, Python, Go, .NET; `@confluentinc/kafka-javascript`) | built in | built in |
| kafka-python | the package `lz4` | built in |
| franz-go, sarama (Go) | built in | built in |
| KafkaJS (JavaScript) | none: another package, registered by hand; or have the sites publish gzip | built in |

- **Consent.** The subject topic says how it stands with each subject that ever withdrew or became another; its last event of a subject
  says all, and stays for ever. Read it from its beginning as well. On `erase`, delete what you have of the subject, take nothing of it
  again until an event says otherwise, whatever comes late, is replayed or comes from a site's backup, and say so by a report of an
  erasure on the erasure topic. The records are withdrawn one by one on the outcome topic, too. With `research` among `withdrawn`, leave
  the subject out of every extract. Topics have no order between them: what comes of somebody who is to be forgotten may have been told
  after consent was given again. Before you pass it over, read the subject topic to its end. Our kit does this: give it `erase`; of a consent without `erase` it says on the erasure topic that its
  group goes by it (`.erasure.heeded`), so that a family sees whom its word has reached. What a family asks (`.erasure.asked`) is for its
  site alone, whose word on the subject topic follows.
- **Dead letters.** A letter's key is the event's; its value is JSON with `headers` and `value` as they came (text, or `{"base64": …}`); its
  headers say `reason`, `stage`, `topic`, `partition`, `offset`, where the brokers tell it `topic-id`, and nothing of the event.
  `mainstem dlq` lists, shows, retries and drops them.
"""

AFTER = """
## Why a consumer refused an event

The kit's reasons: `missing-header`, `invalid-header` (not of the form above, or twice), `unknown-version` (another major), `invalid-json`,
`invalid-record` (breaks its schema), `contradiction` (key, headers and value do not speak of the same record, change or site),
`foreign-network` (`ce_type` names another network than the topic; a mirror may put words of its own before a topic's name, as
`east.lhn.outcome.v1`: the consumer is then told the network `east.lhn`), `foreign-site` (none of the network's), `held` (an earlier event of its record waits), `gone` (to be retried, and no longer kept).
"""
