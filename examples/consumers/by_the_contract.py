"""The same by the published contract alone (docs/events.md): kafka-python and nothing of Mainstem's. Prints the state as JSON."""

import json
import sys

from kafka import KafkaConsumer, TopicPartition

bootstrap, network = sys.argv[1:]
topic = f"{network}.outcome.v1"
client = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level="read_committed")
partitions = [TopicPartition(topic, number) for number in sorted(client.partitions_for_topic(topic))]
client.assign(partitions)
newest, state, quiet = {}, {}, 0
while quiet < 3:
    polled = client.poll(timeout_ms=500)
    quiet = 0 if polled else quiet + 1
    for record in (record for records in polled.values() for record in records):
        headers = {name: value.decode() for name, value in record.headers}
        if headers["ce_dataschema"] != "/schemas/observation.v1.json":
            continue
        key, version = headers["ce_subject"], tuple(int(part) for part in headers["ce_sequence"].split("."))
        if version <= newest.get(key, (0, 0)):
            continue  # a copy, or older than what we have
        newest[key] = version
        if record.value is None:
            state.pop(key, None)  # withdrawn
        else:
            state[key] = json.loads(record.value)["record"]["value"]
client.close(autocommit=False)
print(json.dumps(state))
