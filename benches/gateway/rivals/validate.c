/* libxml2: reads each document into a tree and validates it by a schema. Arguments: schema, documents. For each line of input, a number of passes, it
   says the CPU nanoseconds of so many passes over all documents. */
#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *content(const char *name, int *length) {
    FILE *file = fopen(name, "rb");
    if (!file) exit(2);
    fseek(file, 0, SEEK_END);
    *length = (int)ftell(file);
    rewind(file);
    char *bytes = malloc(*length);
    if (fread(bytes, 1, *length, file) != (size_t)*length) exit(2);
    fclose(file);
    return bytes;
}

int main(int argc, char **argv) {
    xmlSchemaPtr schema = xmlSchemaParse(xmlSchemaNewParserCtxt(argv[1]));
    if (!schema) return 2;
    int count = argc - 2, lengths[8];
    char *documents[8];
    for (int i = 0; i < count && i < 8; i++) documents[i] = content(argv[i + 2], &lengths[i]);
    xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(schema);
    long many;
    while (scanf("%ld", &many) == 1) {
        struct timespec from, to;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        for (long n = 0; n < many; n++)
            for (int i = 0; i < count; i++) {
                xmlDocPtr document = xmlReadMemory(documents[i], lengths[i], "message.xml", NULL, XML_PARSE_NONET | XML_PARSE_HUGE);
                if (!document || xmlSchemaValidateDoc(valid, document) != 0) { fprintf(stderr, "not valid: %s\n", argv[i + 2]); return 1; }
                xmlFreeDoc(document);
            }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + (to.tv_nsec - from.tv_nsec));
        fflush(stdout);
    }
    return 0;
}
