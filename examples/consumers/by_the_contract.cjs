// The same in JavaScript, by the published contract alone, on KafkaJS: it reads gzip, not lz4. Prints the state as JSON.
// node by_the_contract.cjs 127.0.0.1:9092 lhn
const { Kafka, logLevel } = require("kafkajs");

const [bootstrap, network] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "example", brokers: [bootstrap], logLevel: logLevel.NOTHING });
const newest = new Map(), state = {};
const newer = (one, other) => one[0] > other[0] || (one[0] === other[0] && one[1] > other[1]);

async function run() {
  const topic = `${network}.outcome.v1`;
  const consumer = kafka.consumer({ groupId: `example-${Date.now()}`, sessionTimeout: 6000 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let last = Date.now();
  await consumer.run({
    eachMessage: async ({ message }) => {
      last = Date.now();
      const header = (name) => message.headers[name].toString();
      if (header("ce_dataschema") !== "/schemas/observation.v1.json") return;
      const key = header("ce_subject"), version = header("ce_sequence").split(".").map(Number);
      if (!newer(version, newest.get(key) || [0, 0])) return; // a copy, or older than what we have
      newest.set(key, version);
      if (message.value === null) delete state[key]; // withdrawn
      else state[key] = JSON.parse(message.value).record.value;
    },
  });
  const began = Date.now();
  while (Date.now() - last < 4000 || (newest.size === 0 && Date.now() - began < 25000)) await new Promise((done) => setTimeout(done, 200));
  console.log(JSON.stringify(state));
  process.exit(0);
}

run().catch((error) => { console.error(error.name); process.exit(1); });
