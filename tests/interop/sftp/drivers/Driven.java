import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Who logs on comes as a line of JSON on standard input, then a line for each step; each is answered by a line on standard output. */
final class Driven {
  interface Client extends AutoCloseable {
    void put(String local, String remote, boolean preserve) throws Exception;

    void get(String remote, String local) throws Exception;

    List<String> names(String remote) throws Exception;

    void remove(String remote) throws Exception;

    void mkdir(String remote) throws Exception;

    void rename(String from, String to) throws Exception;

    /** By posix-rename, where it can be told apart. */
    default void replace(String from, String to) throws Exception {
      rename(from, to);
    }

    /** What is missing at the end. */
    void resume(String local, String remote) throws Exception;

    void append(String local, String remote) throws Exception;

    default void treeUp(String local, String remote) throws Exception {
      throw new UnsupportedOperationException();
    }

    default void treeDown(String remote, String local) throws Exception {
      throw new UnsupportedOperationException();
    }
  }

  interface Connect {
    Client to(String host, int port, String user, String key, String knownHosts) throws Exception;
  }

  interface Writes {
    void piece(long offset, byte[] bytes, int length) throws IOException;
  }

  private Driven() {}

  static void run(Connect connect) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    JsonObject about = JsonParser.parseString(lines.readLine()).getAsJsonObject();
    try (Client client = connect.to(
        text(about, "host"), about.get("port").getAsInt(), text(about, "user"), text(about, "key"), text(about, "known_hosts"))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        try {
          say(Map.of("done", done(client, JsonParser.parseString(line).getAsJsonObject())));
        } catch (Exception error) {
          say(Map.of("error", error.toString()));
        }
      }
    } catch (Exception error) {
      say(Map.of("error", error.toString()));
    }
    System.exit(0);
  }

  private static Object done(Client client, JsonObject step) throws Exception {
    String remote = text(step, "remote");
    switch (text(step, "do")) {
      case "put" -> client.put(text(step, "local"), remote, step.get("preserve").getAsBoolean());
      case "get" -> client.get(remote, text(step, "local"));
      case "names" -> {
        return client.names(remote);
      }
      case "remove" -> client.remove(remote);
      case "mkdir" -> client.mkdir(remote);
      case "rename" -> client.rename(remote, text(step, "to"));
      case "replace" -> client.replace(remote, text(step, "to"));
      case "resume" -> client.resume(text(step, "local"), remote);
      case "append" -> client.append(text(step, "local"), remote);
      case "tree_up" -> client.treeUp(text(step, "local"), remote);
      case "tree_down" -> client.treeDown(remote, text(step, "local"));
      default -> throw new IllegalArgumentException(step.toString());
    }
    return 0;
  }

  /** A local file from an offset on, piece by piece. */
  static void rest(String local, long begin, Writes to) throws IOException {
    try (InputStream from = Files.newInputStream(Path.of(local))) {
      from.skipNBytes(begin);
      byte[] piece = new byte[32 << 10];
      long at = begin;
      for (int length = from.readNBytes(piece, 0, piece.length); length > 0; length = from.readNBytes(piece, 0, piece.length)) {
        to.piece(at, piece, length);
        at += length;
      }
    }
  }

  private static void say(Object answer) throws IOException {
    System.out.write((new Gson().toJson(answer) + "\n").getBytes(StandardCharsets.UTF_8));
    System.out.flush();
  }

  private static String text(JsonObject object, String name) {
    return object.get(name).getAsString();
  }
}
