package io.stagedjobs.sample.upstream;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ContractServiceTest {

    private final ContractService service = new ContractService(0, call -> {});
    private final HttpClient http = HttpClient.newHttpClient();

    @AfterEach
    void stop() {
        service.close();
    }

    @Test
    void a_document_is_sent_again_only_if_it_is_another_one() throws Exception {
        HttpResponse<String> first = send("PUT", "/contracts/x", "{}");
        HttpResponse<String> read = send("GET", "/contracts/x", "");
        String etag = read.headers().firstValue("ETag").orElseThrow();

        assertThat(first.statusCode()).isEqualTo(204);
        assertThat(read.body()).isEqualTo("{}");
        assertThat(send("GET", "/contracts/x", "", "If-None-Match", etag).statusCode())
                .isEqualTo(304);
        send("PUT", "/contracts/x", "[]");
        assertThat(send("GET", "/contracts/x", "", "If-None-Match", etag).statusCode())
                .isEqualTo(200);
        assertThat(send("GET", "/contracts/y", "").statusCode()).isEqualTo(404);
    }

    @Test
    void its_troubles_are_switched_on_and_off_over_http() throws Exception {
        assertThat(send("PUT", "/trouble?path=/contracts/C-1/items&is=failing", "")
                        .statusCode())
                .isEqualTo(204);
        assertThat(send("GET", "/contracts/C-1/items", "").statusCode()).isEqualTo(500);
        assertThat(send("GET", "/contracts/C-1", "").statusCode()).isEqualTo(200);
        send("PUT", "/trouble?path=/contracts/C-1/items&is=none", "");
        assertThat(send("GET", "/contracts/C-1/items", "").statusCode()).isEqualTo(200);
    }

    @Test
    void a_trouble_that_is_not_known_is_refused_with_those_that_are() throws Exception {
        HttpResponse<String> response = send("PUT", "/trouble?path=/contracts/C-1&is=broken", "");

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(response.body()).contains("FAILING", "STALLED", "is=broken");
        assertThat(send("GET", "/contracts/C-1", "").statusCode()).isEqualTo(200);
    }

    private HttpResponse<String> send(String method, String target, String body, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(service.url() + target))
                .method(method, BodyPublishers.ofString(body));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return http.send(request.build(), BodyHandlers.ofString());
    }
}
