#!/usr/bin/env bash
# phpseclib 3.0.19: `put` with RESUME sends the whole file once more, behind what is there.
#
# Guessed:  SFTP::SOURCE_LOCAL_FILE | SFTP::RESUME goes on where the upload broke off, as the name says, and adds nothing to a file that is complete.
# Happens:  it writes at the end of what is there, and begins at the start of the local file: of a file of 1,000,000 bytes, of which 300,000 had come, there are 1,300,000 afterwards, and one that was complete is
#           there twice. `put` returns true. SFTP::RESUME_START reads on where the server's file ends, and is what one wants; after a complete file it adds nothing. The other way round there is no such thing: `get` with an
#           offset empties the local file first and writes the rest alone.
# Product:  the trigger's SizeInBytes differs from what came, and the receipt says 1011; a file of a mailbox, which has no trigger, is what arrived. docs/clients/sftp.md says which of the two to use.
#
# Needs python3, and php-cli with php-phpseclib3 (Debian 12 has 3.0.19), or root with apt-get to install them. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 with venv is needed"; exit 2; }
installed() { command -v php >/dev/null && [ -e /usr/share/php/phpseclib3/autoload.php ]; }
if ! installed; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive nice apt-get install -y -qq --no-install-recommends php-cli php-phpseclib3; } >/dev/null 2>&1 && installed || { echo "php-cli and php-phpseclib3 are needed"; exit 2; }
fi
dpkg-query -W -f '${Package} ${Version}\n' php-phpseclib3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check asyncssh==2.24.0 cryptography==50.0.2 || exit 2
mkdir -p server/OUT
cat >run.py <<'PY'
import asyncio
import sys

import asyncssh


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False


async def run():
    key = asyncssh.generate_private_key("ssh-ed25519")
    home = lambda channel: asyncssh.SFTPServer(channel, chroot="server")
    server = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=home)
    client = await asyncio.create_subprocess_exec("php", "try.php", str(server.get_port()))
    sys.exit(await asyncio.wait_for(client.wait(), 60))


asyncio.run(run())
PY
cat >try.php <<'PHP'
<?php
require '/usr/share/php/phpseclib3/autoload.php';
use phpseclib3\Net\SFTP;

$whole = random_bytes(1000000);
file_put_contents('whole', $whole);
$sftp = new SFTP('127.0.0.1', (int) $argv[1]);
$sftp->login('user') || exit(2);
// What is there after a put onto so many bytes of the file that had come.
function after(int $come, int $mode): string
{
    global $sftp, $whole;
    file_put_contents('server/OUT/file', substr($whole, 0, $come));
    $returned = $sftp->put('/OUT/file', 'whole', SFTP::SOURCE_LOCAL_FILE | $mode);
    $there = file_get_contents('server/OUT/file');
    $of = $there === $whole ? 'the file' : ($there === substr($whole, 0, $come) . $whole ? 'what had come and the file' : 'something else');
    return var_export($returned, true) . ', ' . strlen($there) . ' bytes: ' . $of;
}
file_put_contents('server/OUT/file', $whole);
file_put_contents('part', substr($whole, 0, 300000));
$fetched = $sftp->get('/OUT/file', 'part', 300000);
$got = [
    'RESUME, 300000 had come' => after(300000, SFTP::RESUME),
    'RESUME, all had come' => after(1000000, SFTP::RESUME),
    'RESUME_START, 300000 had come' => after(300000, SFTP::RESUME_START),
    'RESUME_START, all had come' => after(1000000, SFTP::RESUME_START),
    'get with an offset' => var_export($fetched, true) . ', ' . filesize('part') . ' bytes: ' . (file_get_contents('part') === substr($whole, 300000) ? 'the rest' : 'something else'),
];
$due = [
    'RESUME, 300000 had come' => 'true, 1300000 bytes: what had come and the file',
    'RESUME, all had come' => 'true, 2000000 bytes: what had come and the file',
    'RESUME_START, 300000 had come' => 'true, 1000000 bytes: the file',
    'RESUME_START, all had come' => 'true, 1000000 bytes: the file',
    'get with an offset' => 'true, 700000 bytes: the rest',
];
foreach ($got as $what => $seen) {
    printf("%-30s %s\n", $what, $seen);
}
if ($got !== $due) {
    echo "the behaviour has changed\n";
    exit(1);
}
PHP
venv/bin/python run.py
