import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What is to be done comes as JSON on standard input, and the answer goes to standard output. */
final class Driven {
  interface Client extends AutoCloseable {
    void put(String local, String remote, boolean preserve) throws Exception;

    void get(String remote, String local) throws Exception;

    List<String> names(String remote) throws Exception;

    void remove(String remote) throws Exception;

    void rename(String from, String to) throws Exception;
  }

  interface Connect {
    Client to(String host, int port, String user, String key, String knownHosts) throws Exception;
  }

  private Driven() {}

  static void run(Connect connect) throws Exception {
    JsonObject about = JsonParser.parseReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).getAsJsonObject();
    List<Object> done = new ArrayList<>();
    Object answer;
    try (Client client = connect.to(
        text(about, "host"), about.get("port").getAsInt(), text(about, "user"), text(about, "key"), text(about, "known_hosts"))) {
      for (var element : about.getAsJsonArray("steps")) {
        JsonObject step = element.getAsJsonObject();
        String remote = text(step, "remote");
        Object value = 0;
        switch (text(step, "do")) {
          case "put" -> client.put(text(step, "local"), remote, step.get("preserve").getAsBoolean());
          case "get" -> client.get(remote, text(step, "local"));
          case "names" -> value = client.names(remote);
          case "remove" -> client.remove(remote);
          case "rename" -> client.rename(remote, text(step, "to"));
          default -> throw new IllegalArgumentException(step.toString());
        }
        done.add(value);
      }
      answer = Map.of("done", done);
    } catch (Exception error) {
      answer = Map.of("error", error.toString());
    }
    System.out.write((new Gson().toJson(answer) + "\n").getBytes(StandardCharsets.UTF_8));
    System.out.flush();
    System.exit(0);
  }

  private static String text(JsonObject object, String name) {
    return object.get(name).getAsString();
  }
}
