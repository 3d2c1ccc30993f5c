import java.io.File;
import java.io.IOException;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.Schema;
import javax.xml.validation.SchemaFactory;
import org.xml.sax.SAXException;

/** The JDK's own validator: each FILE after the schema is told as valid, or why not. Run by `java Judge.java SCHEMA FILE…`. */
final class Judge {
  public static void main(String[] arguments) throws Exception {
    SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
    factory.setProperty(XMLConstants.ACCESS_EXTERNAL_DTD, "");
    factory.setProperty(XMLConstants.ACCESS_EXTERNAL_SCHEMA, "file");
    Schema schema = factory.newSchema(new File(arguments[0]));
    for (int at = 1; at < arguments.length; at++) {
      System.out.println(verdict(schema, new File(arguments[at])));
    }
  }

  private static String verdict(Schema schema, File file) throws IOException {
    try {
      schema.newValidator().validate(new StreamSource(file));
      return "valid";
    } catch (SAXException error) {
      return error.getMessage();
    }
  }
}
