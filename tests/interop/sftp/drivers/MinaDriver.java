import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.apache.sshd.client.SshClient;
import org.apache.sshd.client.keyverifier.KnownHostsServerKeyVerifier;
import org.apache.sshd.client.keyverifier.RejectAllServerKeyVerifier;
import org.apache.sshd.client.session.ClientSession;
import org.apache.sshd.common.keyprovider.FileKeyPairProvider;
import org.apache.sshd.sftp.client.SftpClient;
import org.apache.sshd.sftp.client.SftpClientFactory;
import org.apache.sshd.sftp.client.extensions.openssh.OpenSSHPosixRenameExtension;

final class MinaDriver {
  public static void main(String[] arguments) throws Exception {
    Driven.run((host, port, user, key, knownHosts) -> {
      SshClient ssh = SshClient.setUpDefaultClient();
      ssh.setServerKeyVerifier(new KnownHostsServerKeyVerifier(RejectAllServerKeyVerifier.INSTANCE, Path.of(knownHosts)));
      ssh.setKeyIdentityProvider(new FileKeyPairProvider(Path.of(key)));
      ssh.start();
      ClientSession session = ssh.connect(user, host, port).verify(20_000).getSession();
      session.auth().verify(20_000);
      SftpClient sftp = SftpClientFactory.instance().createSftpClient(session);
      return new Driven.Client() {
        public void put(String local, String remote, boolean preserve) throws Exception {
          try (OutputStream to = sftp.write(remote)) {
            Files.copy(Path.of(local), to);
          }
          if (preserve) {
            SftpClient.Attributes attributes = new SftpClient.Attributes();
            attributes.modifyTime(Files.getLastModifiedTime(Path.of(local)));
            attributes.accessTime(Files.getLastModifiedTime(Path.of(local)));
            sftp.setStat(remote, attributes);
          }
        }

        public void get(String remote, String local) throws Exception {
          try (InputStream from = sftp.read(remote)) {
            Files.copy(from, Path.of(local), StandardCopyOption.REPLACE_EXISTING);
          }
        }

        public List<String> names(String remote) throws Exception {
          List<String> names = new ArrayList<>();
          for (SftpClient.DirEntry entry : sftp.readDir(remote)) {
            names.add(entry.getFilename());
          }
          return names;
        }

        public void remove(String remote) throws Exception {
          sftp.remove(remote);
        }

        public void rename(String from, String to) throws Exception {
          sftp.rename(from, to);
        }

        public void mkdir(String remote) throws Exception {
          sftp.mkdir(remote);
        }

        public void replace(String from, String to) throws Exception {
          sftp.getExtension(OpenSSHPosixRenameExtension.class).posixRename(from, to);
        }

        public void resume(String local, String remote) throws Exception {
          try (SftpClient.CloseableHandle to = sftp.open(remote, SftpClient.OpenMode.Write)) {
            Driven.rest(local, sftp.stat(to).getSize(), (at, piece, length) -> sftp.write(to, at, piece, 0, length));
          }
        }

        public void append(String local, String remote) throws Exception {
          try (OutputStream to = sftp.write(remote, SftpClient.OpenMode.Write, SftpClient.OpenMode.Append)) {
            Files.copy(Path.of(local), to);
          }
        }

        public void close() throws Exception {
          session.close();
          ssh.stop();
        }
      };
    });
  }
}
