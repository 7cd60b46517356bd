package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;

/** Talks HTTP to the sample. */
final class SampleClient {

    private final HttpClient http = HttpClient.newHttpClient();
    private final String url;

    SampleClient(String url) {
        this.url = url;
    }

    HttpResponse<String> put(String email, String... headers) {
        return send("PUT", "/users?email=" + URLEncoder.encode(email, UTF_8), headers);
    }

    HttpResponse<String> get(String email) {
        return send("GET", "/users?email=" + URLEncoder.encode(email, UTF_8));
    }

    HttpResponse<String> send(String method, String target, String... headers) {
        return sendBody(method, target, "", headers);
    }

    HttpResponse<String> sendBody(String method, String target, String body, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + target))
                .method(method, BodyPublishers.ofString(body))
                .timeout(Duration.ofSeconds(60));
        if (headers.length > 0) {
            request.headers(headers);
        }
        try {
            return http.send(request.build(), BodyHandlers.ofString());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    static JsonNode json(HttpResponse<String> response) {
        try {
            return new ObjectMapper().readTree(response.body());
        } catch (IOException e) {
            throw new IllegalStateException("not JSON: " + response.body(), e);
        }
    }

    static String error(HttpResponse<String> response) {
        return json(response).path("error").asText();
    }
}
