// The same service as service.php, in memory, on the `soap` package.
const http = require("http"), fs = require("fs"), soap = require("soap");
const held = {};
const put = (input) => {
  const c = input.customer, version = Number(input.version);
  if (c.name === "client fault") throw { Fault: { faultcode: "soap:Client", faultstring: "code is wrong", statusCode: 500 } };
  if (c.name === "server fault") throw { Fault: { faultcode: "soap:Server", faultstring: "disk full", statusCode: 200 } };
  const known = held[c.code];
  if (known && known.version >= version) return { code: "duplicate", id: "R" + c.code };
  held[c.code] = { version, name: c.name };
  return { code: "ok", id: "R" + c.code };
};
const find = (input) => (held[input.key] ? { id: held[input.key].name, version: held[input.key].version } : {});
const importXml = (input) => ({ return: `<resp account="${input.account}"><code>ok</code><pk>${input.xml.length}</pk></resp>` });
const list = (input) => ({ row: Object.keys(held).map((code) => ({ code, name: held[code].name, ts: "1" })) });
const port = { put, find, importXml, list };
const server = http.createServer((request, response) => response.writeHead(404).end());
server.listen(Number(process.argv[2]), "127.0.0.1", () =>
  soap.listen(server, { path: "/plant", services: { Plant: { Plant11: port, Plant12: port } }, xml: fs.readFileSync("service.wsdl", "utf8"), uri: process.cwd() + "/service.wsdl" }));
