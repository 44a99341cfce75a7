// Azurite's blob service in memory, on a port that the system picks, until standard input ends.
//
//   node serve.js DIRECTORY_WITH_NODE_MODULES
//
// Tells its port on standard output, and a shared access signature with which tests prepare what they need. In front of
// it, tests order what goes wrong, by POST to /_control: {"container", "method", "what"} fails the next such call,
// {"container", "deny"} all from then on; the answer is how many blobs have been written to the container.
"use strict";

const { createHmac } = require("crypto");
const { createRequire } = require("module");

const azurite = createRequire(`${process.argv[2]}/`);
const part = (name) => azurite(`azurite/dist/src/${name}`);
const constants = part("blob/utils/constants");
const { EMULATOR_ACCOUNT_NAME: ACCOUNT, EMULATOR_ACCOUNT_KEY_STR: KEY } = constants;
// Not 5,000: a listing of a thousand has several pages.
constants.DEFAULT_LIST_BLOBS_MAX_RESULTS = 400;
const Configuration = part("blob/BlobConfiguration").default;
const Server = part("blob/BlobServer").default;

const faults = [];
const denied = new Set();
const writes = new Map();

const server = new Server(
  new Configuration(
    "127.0.0.1",
    0, // the system's choice
    5, // seconds that a connection is kept
    "metadata", // not written: all is in memory
    "extents",
    constants.DEFAULT_BLOB_PERSISTENCE_ARRAY,
    false, // no access log
    undefined,
    false, // no debug log
    undefined,
    false, // strict: unknown headers and parameters are refused
    false,
    "",
    "",
    "",
    undefined,
    true, // the account is the first part of the path
    true, // in memory
  ),
);
const [serve] = server.httpServer.listeners("request");
server.httpServer.removeAllListeners("request");
server.httpServer.on("request", (request, response) => {
  if (request.url === "/_control") return control(request, response);
  const [, , container, blob] = request.url.split("?")[0].split("/");
  if (request.method === "PUT" && blob) writes.set(container, (writes.get(container) ?? 0) + 1);
  if (denied.has(container)) return refuse(response, 403, "AuthorizationPermissionMismatch");
  const at = faults.findIndex((it) => it.container === container && it.method === request.method);
  switch (at < 0 ? undefined : faults.splice(at, 1)[0].what) {
    case "throttle":
      return refuse(response, 503, "ServerBusy");
    case "unavailable":
      return refuse(response, 500, "InternalError");
    case "drop":
      return request.socket.destroy();
    case "lose":
      response.write = () => true;
      response.end = () => request.socket.destroy();
  }
  serve(request, response);
});

async function control(request, response) {
  let text = "";
  for await (const chunk of request) text += chunk;
  const order = JSON.parse(text);
  if (order.what) faults.push(order);
  if (order.deny) denied.add(order.container);
  response.end(String(writes.get(order.container) ?? 0));
}

function refuse(response, status, code) {
  response.writeHead(status, { "x-ms-error-code": code, connection: "close" }).end();
}

// https://learn.microsoft.com/en-us/rest/api/storageservices/create-account-sas
function signature() {
  const grant = { sv: "2021-12-02", ss: "b", srt: "co", sp: "rwl", se: "2100-01-01T00:00:00Z" };
  const text = [ACCOUNT, grant.sp, grant.ss, grant.srt, "", grant.se, "", "", grant.sv, "", ""].join("\n");
  const sig = createHmac("sha256", Buffer.from(KEY, "base64")).update(text).digest("base64");
  return new URLSearchParams({ ...grant, sig });
}

process.stdin.on("end", () => process.exit()).resume();
server.start().then(() => console.log(`${server.httpServer.address().port} ${signature()}`));
