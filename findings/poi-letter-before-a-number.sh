#!/usr/bin/env bash
# Apache POI takes a number that is shown with a letter in front, "M"0000, for a date, and DataFormatter writes the same text for different numbers.
#
# Guessed:  what stands between quotation marks in a number format is text, and means nothing: 301 in "M"0000 is M0301, as "K"0000 gives K0301.
# Happens:  where that text has none but the letters of dates (d, h, m, s, t, y) and zeros alone follow, POI 5.5.1 calls the cell a date (DateUtil.isCellDateFormatted). DataFormatter
#           writes 301 in "M"0000 as "10"0000, quotation marks too, for the month of the 301st day of 1900, and 302 just so; in "D"0000 301 and 332 are one. The same package's
#           CellFormat writes M0301. SheetJS (npm's xlsx 0.18.5) writes M0301; exceljs 4.4.0 reads "M"0000 as a number and \M0000 as a date.
# Product:  as Medarbejdernummer it is refused for its quotation marks; a program that takes these away sends one staff number for many. docs/clients/persons.md says how to read
#           such a column.
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
  static Workbook sent(Map<String, double[]> numbers) throws IOException {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    try (Workbook book = new XSSFWorkbook()) {
      Sheet sheet = book.createSheet();
      for (Map.Entry<String, double[]> of : numbers.entrySet()) {
        CellStyle style = book.createCellStyle();
        style.setDataFormat(book.createDataFormat().getFormat(of.getKey()));
        for (double number : of.getValue()) {
          Cell cell = sheet.createRow(sheet.getPhysicalNumberOfRows()).createCell(0);
          cell.setCellValue(number);
          cell.setCellStyle(style);
        }
      }
      book.write(file);
    }
    return new XSSFWorkbook(new ByteArrayInputStream(file.toByteArray()));
  }

  public static void main(String[] arguments) throws Exception {
    System.out.println("POI " + Version.getVersion());
    Map<String, double[]> numbers = new LinkedHashMap<>();
    numbers.put("\"M\"0000", new double[] {301, 302});
    numbers.put("\"D\"0000", new double[] {301, 332});
    numbers.put("\"K\"0000", new double[] {301, 302});
    List<String> shown = new ArrayList<>();
    List<String> right = new ArrayList<>();
    try (Workbook book = sent(numbers)) {
      DataFormatter formatter = new DataFormatter(Locale.ROOT);
      for (Row row : book.getSheetAt(0)) {
        Cell cell = row.getCell(0);
        String format = cell.getCellStyle().getDataFormatString();
        shown.add(formatter.formatCellValue(cell));
        right.add(CellFormat.getInstance(Locale.ROOT, format).apply(cell).text);
        System.out.printf(Locale.ROOT, "%.0f in %s: date %s, DataFormatter %s, CellFormat %s%n", cell.getNumericCellValue(), format,
            DateUtil.isCellDateFormatted(cell), shown.get(shown.size() - 1), right.get(right.size() - 1));
      }
    }
    if (!shown.equals(List.of("\"10\"0000", "\"10\"0000", "\"27\"0000", "\"27\"0000", "K0301", "K0302"))
        || !right.equals(List.of("M0301", "M0302", "D0301", "D0332", "K0301", "K0302"))) {
      System.out.println("the behaviour has changed");
      System.exit(1);
    }
  }
}
JAVA
cd "$dir"
java -cp 'lib/*' Finding.java
