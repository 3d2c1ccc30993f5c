import java.io.ByteArrayInputStream;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Scanner;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;

/** The JDK: reads a document and validates it by a schema. For each line of input, a number of passes, it says their CPU nanoseconds. */
public class Validate {
    public static void main(String[] arguments) throws Exception {
        var validator = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI).newSchema(new File(arguments[0])).newValidator();
        byte[] document = Files.readAllBytes(Path.of(arguments[1]));
        var threads = ManagementFactory.getThreadMXBean();
        Scanner asked = new Scanner(System.in);
        while (asked.hasNextInt()) {
            int many = asked.nextInt();
            long from = threads.getCurrentThreadCpuTime();
            for (int n = 0; n < many; n++) {
                validator.validate(new StreamSource(new ByteArrayInputStream(document)));
            }
            System.out.println(threads.getCurrentThreadCpuTime() - from);
        }
    }
}
