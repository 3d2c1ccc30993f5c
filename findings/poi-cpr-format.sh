#!/usr/bin/env bash
# Apache POI's DataFormatter writes a number in the format of a CPR number, 000000-0000, as 61-0785-1240.
#
# Guessed:  DataFormatter gives what the cell shows, as its documentation says, or the bare digits where it does not know the format. A sheet shows ten digits in 000000-0000 as 6
#           and 4, with the zero in front that a number has not.
# Happens:  POI 5.5.1 takes a sign between zeros with three zeros behind it for the sign between thousands. Here four zeros stand behind it, and it groups by four, from the right: 6107851240
#           is written 61-0785-1240, and 167851240, shown as 016785-1240, is written 01-6785-1240; so with the hyphen escaped or in quotation marks, with a space in its
#           place, and whatever the locale. The same package's CellFormat writes 610785-1240 and 016785-1240.
# Product:  as CPRnummer it is refused (PER010). In any other field, a manager's staff number that is the manager's CPR number, say, it is a CPR number in groups of 2, 4 and 4
#           (PER018). docs/clients/persons.md says how to read such a column.
#
# Needs java 11 or later and mvn. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java mvn; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/pom.xml" <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.poi</groupId><artifactId>poi-ooxml</artifactId><version>5.5.1</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-to-slf4j</artifactId><version>2.24.3</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
POM
(cd "$dir" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=lib >"$dir/mvn.log" 2>&1) || { cat "$dir/mvn.log"; exit 2; }
cat >"$dir/Finding.java" <<'JAVA'
import java.io.*;
import java.util.*;
import org.apache.poi.Version;
import org.apache.poi.ss.format.CellFormat;
import org.apache.poi.ss.usermodel.*;
import org.apache.poi.xssf.usermodel.XSSFWorkbook;

public class Finding {
  static final String[] FORMATS = {"000000-0000", "000000\\-0000", "000000\"-\"0000", "000000 0000"};

  static Workbook sent() throws IOException {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    try (Workbook book = new XSSFWorkbook()) {
      Sheet sheet = book.createSheet();
      for (int at = 0; at < FORMATS.length; at++) {
        CellStyle style = book.createCellStyle();
        style.setDataFormat(book.createDataFormat().getFormat(FORMATS[at]));
        Row row = sheet.createRow(at);
        for (int column = 0; column < 2; column++) {
          row.createCell(column).setCellValue(column == 0 ? 6107851240d : 167851240d);
          row.getCell(column).setCellStyle(style);
        }
      }
      book.write(file);
    }
    return new XSSFWorkbook(new ByteArrayInputStream(file.toByteArray()));
  }

  public static void main(String[] arguments) throws Exception {
    System.out.println("POI " + Version.getVersion());
    Set<String> shown = new TreeSet<>();
    Set<String> right = new TreeSet<>();
    try (Workbook book = sent()) {
      for (Locale locale : List.of(Locale.ROOT, Locale.forLanguageTag("da-DK"))) {
        DataFormatter formatter = new DataFormatter(locale);
        for (Row row : book.getSheetAt(0)) {
          for (Cell cell : row) {
            String format = cell.getCellStyle().getDataFormatString();
            String text = formatter.formatCellValue(cell);
            String other = CellFormat.getInstance(locale, format).apply(cell).text;
            System.out.printf(Locale.ROOT, "%.0f in %s (%s): DataFormatter %s, CellFormat %s%n", cell.getNumericCellValue(), format, locale, text, other);
            shown.add(text.replaceAll(" ", "-"));
            right.add(other.replaceAll(" ", "-"));
          }
        }
      }
    }
    if (!shown.equals(Set.of("61-0785-1240", "01-6785-1240")) || !right.equals(Set.of("610785-1240", "016785-1240"))) {
      System.out.println("the behaviour has changed");
      System.exit(1);
    }
  }
}
JAVA
cd "$dir"
java -cp 'lib/*' Finding.java
