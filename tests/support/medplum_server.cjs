// Medplum's own FHIR router and repository, in memory, behind Node's HTTP server; `bare` as the first argument leaves `total` out.
// Its address is the line it writes.
const http = require("node:http");
const { FhirRouter, MemoryRepository, makeSimpleRequest } = require("@medplum/fhir-router");

const bare = process.argv[2] === "bare";
const router = new FhirRouter();
const repository = new MemoryRepository();
const types = ["Patient", "Condition"].map((type) => ({ type, interaction: [{ code: "search-type" }] }));
const statement = {
  resourceType: "CapabilityStatement",
  fhirVersion: "4.0.1",
  software: { name: "Medplum" },
  rest: [{ mode: "server", resource: types }],
};

async function answer(method, path, body) {
  if (path === "/metadata") {
    return statement;
  }
  if (method === "PUT") {
    return repository.updateResource(body, { assignedId: true });
  }
  const [outcome, resource] = await router.handleRequest(makeSimpleRequest(method, path), repository);
  const found = structuredClone(resource ?? outcome);
  if (bare && found.resourceType === "Bundle") {
    delete found.total;
  }
  return found;
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    const text = Buffer.concat(chunks).toString();
    try {
      const found = await answer(request.method, request.url.slice("/fhir".length), text ? JSON.parse(text) : undefined);
      response.writeHead(200, { "Content-Type": "application/fhir+json" }).end(JSON.stringify(found));
    } catch (error) {
      response.writeHead(500).end(String(error?.outcome ? JSON.stringify(error.outcome) : error));
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
