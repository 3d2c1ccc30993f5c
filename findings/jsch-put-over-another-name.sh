#!/usr/bin/env bash
# JSch's `put` and `rm` of a file whose name has a question mark (or an asterisk).
#
# Guessed: what is put is made under the name that was given, for only what is fetched, listed or removed can be a pattern; and nothing of another name is touched.
# Happens: JSch 2.28.0 (the maintained fork) takes the destination of a `put` for a pattern too. `put` to "ny?.csv" writes over "nyt.csv" where that is the one
#          file that fits, and returns; where nothing fits, it makes nothing and raises "4: /ny?.csv", which is all it says. `rm` of "ny?.csv", made in another
#          way, removes "nyt.csv" with it. With a backslash before the mark the file is made and removed under its own name.
# The product: such names are allowed, and are names. What JSch wrote over is a file like any other to it; the trigger then finds no data file (1010) or one of
#          another size (1011). docs/clients/sftp.md tells users of JSch to write a backslash before `?` and `*`.
#
# Needs java 17 or later and mvn. Before Apache MINA SSHD's server. Exit 0: it still does so. Exit 1: it does something else.
set -euo pipefail
for tool in java mvn; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/pom.xml" <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.github.mwiede</groupId><artifactId>jsch</artifactId><version>2.28.0</version></dependency>
    <dependency><groupId>org.apache.sshd</groupId><artifactId>sshd-sftp</artifactId><version>2.20.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-api</artifactId><version>2.0.17</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
POM
(cd "$dir" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=lib >"$dir/mvn.log" 2>&1) || { cat "$dir/mvn.log"; exit 2; }
cat >"$dir/Finding.java" <<'JAVA'
import com.jcraft.jsch.ChannelSftp;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.SftpException;
import java.io.ByteArrayInputStream;
import java.nio.file.*;
import java.util.*;
import org.apache.sshd.common.file.virtualfs.VirtualFileSystemFactory;
import org.apache.sshd.server.SshServer;
import org.apache.sshd.server.keyprovider.SimpleGeneratorHostKeyProvider;
import org.apache.sshd.sftp.server.SftpSubsystemFactory;

public class Finding {
  static Path home;
  static ChannelSftp sftp;
  static StringBuilder seen = new StringBuilder();

  interface Act { void run() throws SftpException; }

  static void tried(String what, Act act) throws Exception {
    String said = "returns";
    try { act.run(); } catch (SftpException error) { said = "raises " + error.id + ": " + error.getMessage(); }
    Map<String, String> there = new TreeMap<>();
    for (String name : home.toFile().list()) there.put(name, Files.readString(home.resolve(name)));
    System.out.println(what + ": " + said + "; there " + there);
    seen.append(said).append(' ').append(there).append('\n');
  }

  static void put(String name, String content) throws SftpException { sftp.put(new ByteArrayInputStream(content.getBytes()), name); }

  public static void main(String[] arguments) throws Exception {
    home = Files.createDirectory(Path.of(arguments[0], "home"));
    var server = SshServer.setUpDefaultServer();
    server.setHost("127.0.0.1");
    server.setPort(0);
    server.setKeyPairProvider(new SimpleGeneratorHostKeyProvider());
    server.setPasswordAuthenticator((user, password, session) -> true);
    server.setSubsystemFactories(List.of(new SftpSubsystemFactory()));
    server.setFileSystemFactory(new VirtualFileSystemFactory(home));
    server.start();
    var session = new JSch().getSession("x", "127.0.0.1", server.getPort());
    session.setPassword("x");
    session.setConfig("StrictHostKeyChecking", "no");
    session.connect(10000);
    sftp = (ChannelSftp) session.openChannel("sftp");
    sftp.connect(10000);
    System.out.println("JSch " + JSch.VERSION);
    tried("put of ny?.csv, new", () -> put("ny?.csv", "asked"));
    tried("put of nyt.csv, new", () -> put("nyt.csv", "news"));
    tried("put of ny?.csv beside it", () -> put("ny?.csv", "asked"));
    tried("put of ny\\?.csv", () -> put("ny\\?.csv", "asked"));
    tried("rm of ny\\?.csv", () -> sftp.rm("ny\\?.csv"));
    tried("put of ny\\?.csv again", () -> put("ny\\?.csv", "asked"));
    tried("rm of ny?.csv", () -> sftp.rm("ny?.csv"));
    session.disconnect();
    server.stop(true);
    String noted = """
        raises 4: /ny?.csv {}
        returns {nyt.csv=news}
        returns {nyt.csv=asked}
        returns {ny?.csv=asked, nyt.csv=asked}
        returns {nyt.csv=asked}
        returns {ny?.csv=asked, nyt.csv=asked}
        returns {}
        """;
    boolean same = noted.equals(seen.toString());
    if (!same) System.out.println("the behaviour has changed");
    System.exit(same ? 0 : 1);
  }
}
JAVA
timeout 120 java -cp "$dir/lib/*" "$dir/Finding.java" "$dir"
