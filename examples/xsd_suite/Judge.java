import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.*;
import javax.xml.XMLConstants;
import javax.xml.transform.Source;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.*;
import org.xml.sax.*;

/** The JDK's verdicts: each line of a list names an instance ("-" for none) and its schemas, below a folder. */
public class Judge {
    /** Errors count, warnings do not: a schema that is not found is one of those. */
    private static final ErrorHandler STRICT = new ErrorHandler() {
        public void warning(SAXParseException e) {}
        public void error(SAXParseException e) throws SAXException { throw e; }
        public void fatalError(SAXParseException e) throws SAXException { throw e; }
    };

    private static boolean accepts(Path root, List<String> words) throws Exception {
        SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
        factory.setErrorHandler(STRICT);
        // Without these a second document of the same namespace is left out in silence.
        factory.setFeature("http://apache.org/xml/features/namespace-growth", true);
        factory.setFeature("http://apache.org/xml/features/honour-all-schemaLocations", true);
        try {
            Source[] schemas = words.stream().skip(1).map(name -> new StreamSource(root.resolve(name).toFile())).toArray(Source[]::new);
            Validator validator = factory.newSchema(schemas).newValidator();
            validator.setErrorHandler(STRICT);
            if (!words.get(0).equals("-")) {
                validator.validate(new StreamSource(root.resolve(words.get(0)).toFile()));
            }
            return true;
        } catch (SAXException refused) {
            return false;
        }
    }

    public static void main(String[] arguments) throws Exception {
        Path root = Path.of(arguments[0]);
        ExecutorService worker = Executors.newCachedThreadPool(job -> { Thread thread = new Thread(job); thread.setDaemon(true); return thread; });
        for (String line : Files.readAllLines(Path.of(arguments[1]))) {
            Future<Boolean> verdict = worker.submit(() -> accepts(root, Arrays.asList(line.split("\t"))));
            try {
                System.out.println(verdict.get(60, TimeUnit.SECONDS) ? "accepted" : "refused");
            } catch (ExecutionException | TimeoutException none) {
                System.out.println("no verdict");
            }
        }
    }
}
