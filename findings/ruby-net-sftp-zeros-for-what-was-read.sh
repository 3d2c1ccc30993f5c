#!/usr/bin/env bash
# Ruby's net-sftp 4.0.0: `upload!` of an open file of which a line was read sends zeros in its place; of one that has just been written it sends nothing.
#
# Guessed:  an IO is sent from where it stands, as IO.copy_stream and other clients do, so that after `gets` the file at the server is shorter by that line; or from its start, as a name is.
# Happens:  each piece is written at the place that it has in the IO: what was read before is never sent, and the server fills its place with zeros. The file has the right length, so that neither size nor number of lines tells,
#           and `upload!` returns as after a success. At the end of an IO there is nothing to send: a StringIO or Tempfile that the program has just written makes an empty file, with no error. After `rewind`, and of a
#           file that is given by its name, all is right.
# Product:  SizeInBytes is right, so there is no 1011. A file of which a part was never written is refused at its close, and its receipt says 1014; an empty one is a file. docs/clients/sftp.md says to rewind.
#
# Needs python3, and ruby with Debian 12's package ruby-net-sftp (4.0.0), or root with apt-get to install it. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 with venv is needed"; exit 2; }
installed() { command -v ruby >/dev/null && ruby -e 'require "net/sftp"; require "net/sftp/version"; exit Net::SFTP::Version::STRING == "4.0.0"' 2>/dev/null; }
if ! installed; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive nice apt-get install -y -qq --no-install-recommends ruby ruby-net-sftp; } >/dev/null 2>&1 && installed || { echo "ruby and Debian's package ruby-net-sftp are needed"; exit 2; }
fi
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
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    home = lambda channel: asyncssh.SFTPServer(channel, chroot="server")
    server = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=home)
    client = await asyncio.create_subprocess_exec("ruby", "try.rb", str(server.get_port()))
    sys.exit(await asyncio.wait_for(client.wait(), 60))


asyncio.run(run())
PY
cat >try.rb <<'RB'
require 'net/sftp'
require 'net/sftp/version'
require 'stringio'
require 'tempfile'

HEAD = "Id;Amount\r\n"
TEXT = HEAD + (1..20).map { |id| "#{id};100.50\r\n" }.join
File.binwrite('file.csv', TEXT)
got = {}
Net::SFTP.start('127.0.0.1', 'user', port: ARGV[0].to_i, auth_methods: ['none'], verify_host_key: :never) do |sftp|
  sent = lambda do |what, source|
    sftp.upload!(source, '/OUT/sent.csv')
    there = File.binread('server/OUT/sent.csv')
    told = { TEXT => 'all of it', '' => 'nothing', "\0" * HEAD.size + TEXT[HEAD.size..] => 'zeros for the first line' }.fetch(there, 'something else')
    got[what] = "#{there.bytesize} bytes: #{told}"
  end
  read = ->(io) { io.gets; io }
  sent['a name', 'file.csv']
  sent['a File', File.open('file.csv', 'rb')]
  sent['a File, one line read', read[File.open('file.csv', 'rb')]]
  sent['a StringIO, one line read', read[StringIO.new(TEXT)]]
  sent['a StringIO, rewound', read[StringIO.new(TEXT)].tap(&:rewind)]
  sent['a StringIO just written', StringIO.new.tap { |io| io.write(TEXT) }]
  sent['a Tempfile just written', Tempfile.new.tap { |io| io.write(TEXT); io.flush }]
end
whole = "#{TEXT.size} bytes: all of it"
zeros = "#{TEXT.size} bytes: zeros for the first line"
due = { 'a name' => whole, 'a File' => whole, 'a File, one line read' => zeros, 'a StringIO, one line read' => zeros, 'a StringIO, rewound' => whole,
        'a StringIO just written' => '0 bytes: nothing', 'a Tempfile just written' => '0 bytes: nothing' }
puts "net-sftp #{Net::SFTP::Version::STRING}"
got.each { |what, seen| puts format('%-27s %s', what, seen) }
abort 'the behaviour has changed' unless got == due
RB
venv/bin/python run.py
