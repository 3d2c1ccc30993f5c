#!/usr/bin/env bash
# openapi-generator 7.14.0, Java (library native, on java.net.http): of a file that is put its path is sent, as JSON, in the place of what it holds.
#
# Guessed:  a body of application/octet-stream that is `type: string, format: binary` is a java.io.File in the generated method, and the bytes of that file are sent; what is fetched is written to a
#           file, whose File the method returns.
# Happens:  every body that is no text goes through Jackson, which writes a File as a string of JSON: its absolute path in quotation marks. That is what arrives, as application/octet-stream, and the
#           method returns as after a success. What is fetched goes through Jackson too: a CSV raises ApiException (JsonParseException: Unrecognized token), and one whose content happens to be a text
#           in quotation marks comes back as a File of that name, which nobody has made. Where the contract says nothing of the schema (`application/octet-stream: {}`, as OpenAPI 3.1 has it for
#           bytes), the method has no parameter for a body, and an empty one is sent. With an array of integers a list of numbers is sent, as JSON. ApiClient's setRequestInterceptor gets the request
#           with its body last, and can put the file's bytes there: builder.PUT(BodyPublishers.ofFile(path)).
# Product:  `PUT …/outbox/ID` of a mailbox takes the file's SHA-256 and size beside it, so that such a body is refused and not delivered. docs/clients/mailboxes.md says how to send and fetch contents.
#
# Needs java 17 or later with javac, and mvn. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java javac mvn; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>2.17.1</version></dependency>
    <dependency><groupId>com.fasterxml.jackson.datatype</groupId><artifactId>jackson-datatype-jsr310</artifactId><version>2.17.1</version></dependency>
    <dependency><groupId>org.openapitools</groupId><artifactId>jackson-databind-nullable</artifactId><version>0.2.6</version></dependency>
    <dependency><groupId>com.google.code.findbugs</groupId><artifactId>jsr305</artifactId><version>3.0.2</version></dependency>
    <dependency><groupId>jakarta.annotation</groupId><artifactId>jakarta.annotation-api</artifactId><version>1.3.5</version></dependency>
  </dependencies>
</project>
POM
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1
nice mvn --quiet --batch-mode "$plugin:copy-dependencies" -DoutputDirectory="$work/lib" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
nice mvn --quiet --batch-mode "$plugin:copy" -Dartifact=org.openapitools:openapi-generator-cli:7.14.0 -DoutputDirectory="$work" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat >contract.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "tried", "version": "1"}, "paths": {
 "/binary": {"put": {"operationId": "putBinary", "requestBody": {"required": true, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
   "responses": {"204": {"description": "taken"}}},
  "get": {"operationId": "getBinary", "responses": {"200": {"description": "the file", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}}},
 "/none": {"put": {"operationId": "putNone", "requestBody": {"required": true, "content": {"application/octet-stream": {}}}, "responses": {"204": {"description": "taken"}}}},
 "/numbers": {"put": {"operationId": "putNumbers", "requestBody": {"required": true, "content": {"application/octet-stream": {"schema": {"type": "array", "items": {"type": "integer"}}}}},
   "responses": {"204": {"description": "taken"}}}}}}
JSON
nice java -XX:TieredStopAtLevel=1 -jar openapi-generator-cli-7.14.0.jar generate -g java --library native -i contract.json -o made >made.log 2>&1 || { cat made.log; exit 1; }
cat >Finding.java <<'JAVA'
import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.lang.reflect.Method;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.*;
import java.util.*;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.DefaultApi;

public class Finding {
  static String came;
  static String held;

  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", exchange -> {
      byte[] body = exchange.getRequestBody().readAllBytes();
      if (exchange.getRequestMethod().equals("GET")) {
        exchange.getResponseHeaders().set("Content-Type", "application/octet-stream");
        exchange.sendResponseHeaders(200, held.length());
        exchange.getResponseBody().write(held.getBytes());
      } else {
        came = exchange.getRequestHeaders().getFirst("Content-Type") + ": " + new String(body);
        exchange.sendResponseHeaders(204, -1);
      }
      exchange.close();
    });
    server.start();
    String address = "http://localhost:" + server.getAddress().getPort();
    ApiClient client = new ApiClient();
    client.updateBaseUri(address);
    DefaultApi api = new DefaultApi(client);
    Path path = Path.of("loen.csv").toAbsolutePath();
    String content = "M0301;31.12.2026\n";
    Files.writeString(path, content);
    Map<String, String> seen = new LinkedHashMap<>();

    api.putBinary(path.toFile());
    seen.put("put, format binary", came.replace(path.toString(), "PATH"));
    List<String> parameters = new ArrayList<>();
    for (Method method : DefaultApi.class.getMethods()) {
      if (method.getName().equals("putNone")) {
        parameters.add(method.getParameterCount() + " parameters");
      }
    }
    api.putNone();
    seen.put("put, no schema", parameters + " " + came);
    api.putNumbers(List.of(77, 48));
    seen.put("put, integers", came);
    held = content;
    try {
      seen.put("get of a CSV", "a file: " + api.getBinary());
    } catch (ApiException error) {
      seen.put("get of a CSV", error.getMessage().split("\n")[0]);
    }
    held = "\"ja\"";
    File file = api.getBinary();
    seen.put("get of \"ja\"", "a file: " + file + (file.exists() ? ", there" : ", not there"));

    client.setRequestInterceptor(builder -> {
      try {
        builder.PUT(BodyPublishers.ofFile(path));
      } catch (java.io.FileNotFoundException error) {
        throw new IllegalStateException(error);
      }
    });
    new DefaultApi(client).putBinary(path.toFile());
    seen.put("put, with the interceptor", came.replace("\n", "|"));
    held = content;
    Path fetched = HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(address + "/binary")).build(), BodyHandlers.ofFile(Path.of("fetched.csv"))).body();
    seen.put("get by java.net.http", Files.readString(fetched).replace("\n", "|"));
    server.stop(0);

    seen.forEach((name, what) -> System.out.println(name + ": " + what));
    Map<String, String> due = new LinkedHashMap<>();
    due.put("put, format binary", "application/octet-stream: \"PATH\"");
    due.put("put, no schema", "[0 parameters] null: ");
    due.put("put, integers", "application/octet-stream: [77,48]");
    due.put("get of a CSV", "com.fasterxml.jackson.core.JsonParseException: Unrecognized token 'M0301': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')");
    due.put("get of \"ja\"", "a file: ja, not there");
    due.put("put, with the interceptor", "application/octet-stream: M0301;31.12.2026|");
    due.put("get by java.net.http", "M0301;31.12.2026|");
    if (!seen.equals(due)) {
      System.out.println("the behaviour has changed");
      System.exit(1);
    }
  }
}
JAVA
mkdir classes
find made/src/main/java -name '*.java' >sources
nice javac -J-XX:TieredStopAtLevel=1 -nowarn -cp 'lib/*' -d classes @sources Finding.java 2>javac.log || { cat javac.log; exit 1; }
nice java -XX:TieredStopAtLevel=1 -cp 'classes:lib/*' Finding
