package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.networknt.schema.Error;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SchemaRegistryConfig;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The document that describes the API, to compare answers with. */
final class OpenApi {

    private final JsonNode document;
    private final SchemaRegistry registry = SchemaRegistry.withDefaultDialect(
            SpecificationVersion.DRAFT_2020_12,
            builder -> builder.schemaRegistryConfig(
                    SchemaRegistryConfig.builder().formatAssertionsEnabled(true).build()));

    OpenApi() throws IOException {
        try (InputStream in = AdminServer.class.getResourceAsStream("openapi.yaml")) {
            document = new YAMLMapper().readTree(in);
        }
    }

    /** As "VERB /path". */
    Set<String> routes() {
        Set<String> routes = new TreeSet<>();
        document.get("paths").properties().forEach(path -> path.getValue()
                .fieldNames()
                .forEachRemaining(verb -> routes.add(verb.toUpperCase(java.util.Locale.ROOT) + " " + path.getKey())));
        return routes;
    }

    private JsonNode resolved(JsonNode node) {
        String ref = node.path("$ref").asText();
        return ref.isEmpty() ? node : resolved(document.at(ref.substring(1)));
    }

    private JsonNode operation(String verb, String path) {
        JsonNode operation = document.get("paths").path(path).path(verb.toLowerCase(java.util.Locale.ROOT));
        assertThat(operation.isMissingNode())
                .as("%s %s is documented", verb, path)
                .isFalse();
        return operation;
    }

    /** The bodies that the document gives as examples of a POST, by name. */
    Map<String, String> examples(String path) {
        JsonNode body = resolved(operation("POST", path).get("requestBody"))
                .get("content")
                .get("application/json");
        Map<String, String> examples = new LinkedHashMap<>();
        body.get("examples").properties().forEach(example -> {
            JsonNode value = example.getValue().get("value");
            assertThat(wrong(body.get("schema"), value.toString()))
                    .as(example.getKey())
                    .isEmpty();
            examples.put(example.getKey(), value.toString());
        });
        return examples;
    }

    /** Whether the document permits this body. */
    boolean permits(String path, String body) {
        return wrong(
                        resolved(operation("POST", path).get("requestBody"))
                                .get("content")
                                .get("application/json")
                                .get("schema"),
                        body)
                .isEmpty();
    }

    private List<Error> wrong(JsonNode schema, String value) {
        ObjectNode whole = ApiScene.JSON.createObjectNode();
        whole.set("components", document.get("components"));
        whole.putArray("allOf").add(schema);
        Schema compiled = registry.getSchema(whole);
        try {
            return compiled.validate(ApiScene.JSON.readTree(value));
        } catch (IOException e) {
            throw new IllegalArgumentException("no JSON: " + value, e);
        }
    }

    /**
     * @param path as the document has it
     * @throws AssertionError if the answer is another one than the document promises
     */
    void check(String verb, String path, HttpResponse<String> answer) {
        JsonNode responses = operation(verb, path).get("responses");
        JsonNode response = resolved(responses.path(String.valueOf(answer.statusCode())));
        JsonNode promised = response.isMissingNode() ? resolved(responses.get("default")) : response;
        String type = answer.headers().firstValue("Content-Type").orElse("").replaceFirst(";.*", "");
        assertThat(promised.get("content").has(type))
                .as("%s %s answers %d with %s", verb, path, answer.statusCode(), type)
                .isTrue();
        if (type.equals("application/json")) {
            assertThat(wrong(promised.get("content").get(type).get("schema"), answer.body()))
                    .as("%s %s: %d %s", verb, path, answer.statusCode(), answer.body())
                    .isEmpty();
        }
    }
}
