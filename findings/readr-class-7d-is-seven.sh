#!/usr/bin/env bash
# readr 2.1.4 (R, on vroom 1.6.1; Debian 12): the class 7D is 7, the staff number 4711D is 4711 and 4711E2 is 471100; and the amount 1.234,50 is 1.2345.
#
# Guessed:  a number with a letter behind it is a text, as fread (data.table) and read.csv take it; 5E3 is 5000, as everywhere. Of an amount with a comma read_delim, whose decimal sign is the point, says
#           something, or leaves a text.
# Happens:  a number may have one of the letters D, E, F and L behind it, small or large, as other languages write exponents and types: where all values of a column are such numbers, or empty, they are
#           read as numbers, and the letter is gone. Classes 7D and 8F beside each other are 7 and 8; one 7B makes texts of them all, so that a whole school comes right and a file with one class does not.
#           A zero in front keeps the text. By read_delim 100,50 is 10050 and 1.234,50 is 1.2345: a comma is passed over wherever it stands; read_csv2 takes it for the decimal sign. There is no warning of
#           any of it. With col_types = cols(.default = "c") all is as it stands in the file.
# Product:  Klasse and Medarbejdernummer are texts: 7 is taken, and 4711 is another employment than 4711D, with a warning (PER103). docs/clients/persons.md says how to read.
#
# Seen: 7D 7 | 7D 8F 7 8 | 7D 7B 7D 7B | 4711D 4711 | 4711E2 471100 | 12l 12 | 0311D 0311D | 100,50 10050 | 1.234,50 1.2345.
# Needs Debian 12's packages r-cran-readr (2.1.4) and r-cran-data.table, or root with apt-get to install them. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
there() { Rscript --vanilla -e 'stopifnot(packageVersion("readr") == "2.1.4", requireNamespace("data.table"))' >/dev/null 2>&1; }
there || nice apt-get install -y -q --no-install-recommends r-cran-readr r-cran-data.table >/dev/null 2>&1 || true
there || { echo "Debian 12's packages r-cran-readr 2.1.4 and r-cran-data.table are needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >try.R <<'R'
suppressMessages(library(readr))
warned <- 0
told <- function(values, reader = function(name) read_delim(name, delim = ";", show_col_types = FALSE)) {
  cat("Fornavne;Klasse\n", paste0("Bo;", values, "\n"), sep = "", file = "in.csv")
  table <- withCallingHandlers(suppressMessages(reader("in.csv")), warning = function(w) { warned <<- warned + 1; invokeRestart("muffleWarning") })
  paste(class(table$Klasse)[1], paste(format(table$Klasse, digits = 15, trim = TRUE), collapse = " "))
}
text <- function(name) read_delim(name, delim = ";", col_types = cols(.default = "c"))
seen <- c(
  "7D" = told("7D"),
  "7D 8F" = told(c("7D", "8F")),
  "7D 7B" = told(c("7D", "7B")),
  "7D and nothing" = told(c("7D", "")),
  "4711D" = told("4711D"),
  "4711E2" = told("4711E2"),
  "12l" = told("12l"),
  "0311D" = told("0311D"),
  "100,50" = told("100,50"),
  "1.234,50" = told("1.234,50"),
  "read_csv2: 7D" = told("7D", function(name) read_csv2(name, show_col_types = FALSE)),
  "read_csv2: 1.234,50" = told("1.234,50", function(name) read_csv2(name, show_col_types = FALSE)),
  "col_types: 7D" = told("7D", text),
  "col_types: 1.234,50" = told("1.234,50", text),
  "fread: 7D" = told("7D", data.table::fread),
  "read.csv: 7D" = told("7D", function(name) read.csv2(name)),
  "warnings" = as.character(warned)
)
due <- c("numeric 7", "numeric 7 8", "character 7D 7B", "numeric 7 NA", "numeric 4711", "numeric 471100", "numeric 12", "character 0311D", "numeric 10050", "numeric 1.2345",
  "numeric 7", "numeric 1234.5", "character 7D", "character 1.234,50", "character 7D", "character 7D", "0")
cat("readr", format(packageVersion("readr")), "vroom", format(packageVersion("vroom")), "\n")
cat(paste0(names(seen), ": ", seen, "\n"), sep = "")
quit(status = if (identical(unname(seen), due)) 0 else 1)
R
nice Rscript --vanilla try.R || { echo "the behaviour has changed"; exit 1; }
