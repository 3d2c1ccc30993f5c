#!/usr/bin/env bash
# ssh2-sftp-client (npm): `get` into a local file of what the server does not have.
#
# Guessed: it is rejected, and the local file is as it was, or is not there where it was not: so say `fastGet` of the same package, and OpenSSH's sftp.
# Happens: it is rejected ("No such file"), and the local file has been made, or, where it was there, emptied: the local stream is opened before the server
#          has answered. Who asks for a receipt again and again has an empty one in the folder from the first time on, and who asks anew for one that has been
#          removed at the server meanwhile has lost the copy.
# The product: there is no receipt until the trigger has been judged, so this is what asking too early looks like. docs/clients/sftp.md says to ask `exists`
#          first, or to get to another name and rename.
#
# Needs node, npm and Debian's package openssh-sftp-server (fetched). Exit 0: it still does so. Exit 1: it does something else.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
cd "$dir"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts ssh2@1.17.0 ssh2-sftp-client@12.1.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
server=/usr/lib/openssh/sftp-server
if [ ! -x "$server" ]; then
  (apt-get download -qq openssh-sftp-server 2>apt.log && dpkg -x ./openssh-sftp-server_*.deb root) || { cat apt.log; exit 2; }
  server=$dir/root$server
fi
mkdir home
echo "a receipt" >home/there
cat >try.js <<'JS'
const { spawn } = require('child_process')
const fs = require('fs')
const { Server, utils } = require('ssh2')
const Client = require('ssh2-sftp-client')

// A server of ssh2 that does nothing but hand the subsystem to OpenSSH's sftp-server.
const key = utils.generateKeyPairSync('ed25519').private
const server = new Server({ hostKeys: [key] }, (client) => {
  client.on('error', () => {})
  client.on('authentication', (context) => context.accept())
  client.on('ready', () => client.on('session', (accept) => accept().on('subsystem', (accept) => {
    const channel = accept()
    const child = spawn(process.argv[2], ['-d', process.argv[3]], { stdio: ['pipe', 'pipe', 'ignore'] })
    channel.pipe(child.stdin)
    child.stdout.pipe(channel)
  })))
})

async function tried() {
  const client = new Client()
  await client.connect({ host: '127.0.0.1', port: server.address().port, username: 'x', password: 'x' })
  const seen = []
  for (const way of ['fastGet', 'get']) {
    for (const before of [null, 'of yesterday']) {
      for (const name of ['there', 'missing']) {
        fs.rmSync('local', { force: true })
        if (before !== null) fs.writeFileSync('local', before)
        const said = await client[way](`${process.argv[3]}/${name}`, 'local').then(() => 'returns', (error) => `rejected (${error.code})`)
        const after = fs.existsSync('local') ? JSON.stringify(fs.readFileSync('local', 'utf8')) : 'not there'
        console.log(`${way} of what is ${name}: ${said}; the local file ${before === null ? 'that was not there' : JSON.stringify(before)} is ${after}`)
        seen.push(after)
      }
    }
  }
  await client.end()
  return seen
}

console.log(`ssh2-sftp-client ${require('ssh2-sftp-client/package.json').version}, ssh2 ${require('ssh2/package.json').version}, node ${process.version}`)
server.listen(0, '127.0.0.1', async () => {
  const whole = JSON.stringify('a receipt\n')
  const noted = [whole, 'not there', whole, JSON.stringify('of yesterday'), whole, '""', whole, '""']
  const same = JSON.stringify(await tried()) === JSON.stringify(noted)
  if (!same) console.log('the behaviour has changed')
  process.exit(same ? 0 : 1)
})
JS
timeout 60 node try.js "$server" "$dir/home"
