// samlp as the identity provider: answers GET /?SAMLRequest=…&how={…} with a Response in base64.
//   node samlp_idp.js PORT KEY CERT CONSUMER CONSOLE-CERT CONSOLE-PUBLIC-KEY ATTRIBUTES-JSON
const fs = require('fs'), http = require('http'), url = require('url'), samlp = require('samlp');
const [, , port, key, cert, consumer, consoleCert, consoleKey, attributes] = process.argv;
const mapper = () => ({
  getClaims: () => JSON.parse(fs.readFileSync(attributes)),
  getNameIdentifier: () => ({ nameIdentifier: 'aase-2' }),
});
mapper.metadata = [];
http.createServer((request, response) => {
  request.query = url.parse(request.url, true).query;
  request.body = {};
  request.user = {};
  const how = JSON.parse(request.query.how);
  const encrypted = how.encrypted && {
    encryptionCert: fs.readFileSync(consoleCert), encryptionPublicKey: fs.readFileSync(consoleKey),
  };
  const options = Object.assign({
    issuer: 'https://samlp.example/md', cert: fs.readFileSync(cert), key: fs.readFileSync(key), profileMapper: mapper,
    nameIdentifierFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    getPostURL: (audience, dom, of, done) => done(null, consumer),
    responseHandler: (made, of, from, to) => to.end(made.toString('base64')),
  }, how, encrypted);
  samlp.auth(options)(request, response, (error) => { response.statusCode = 500; response.end(String(error)); });
}).listen(Number(port), '127.0.0.1');
