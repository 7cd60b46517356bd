package io.stagedjobs.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DocumentedCodeTest {

    @TempDir
    private Path directory;

    private Path file(String text) throws IOException {
        return Files.writeString(directory.resolve("file"), text);
    }

    @Test
    void a_region_of_a_test_loses_its_indent_and_keeps_what_is_indented_further() throws IOException {
        Path source = file("""
                    // spotless:off
                    // manual:first
                    if (a) {
                        b();
                    }
                    // end
                // manual:second
                c();
                // end
                // readme:other
                d();
                // end
                """);
        assertThat(DocumentedCode.regions(source, "manual")).containsExactly("if (a) {\n    b();\n}", "c();");
        assertThat(DocumentedCode.regions(source, "readme")).containsExactly("d();");
        assertThat(DocumentedCode.regions(source, "unknown")).isEmpty();
    }

    @Test
    void the_blocks_of_a_document_are_told_apart_by_language() throws IOException {
        Path document = file("text\n```java\na();\n\nb();\n```\nmore\n```sql\nSELECT 1;\n```\n```java\nc();\n```\n");
        assertThat(DocumentedCode.blocks(document, "java")).containsExactly("a();\n\nb();", "c();");
        assertThat(DocumentedCode.blocks(document, "sql")).containsExactly("SELECT 1;");
    }
}
