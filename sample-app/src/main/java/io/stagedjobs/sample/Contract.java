package io.stagedjobs.sample;

import io.javalin.http.HttpStatus;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A contract as another service has it, put together from its two answers. */
record Contract(String id, Versioned<Header> header, Versioned<List<Item>> items) {

    private static final int TEXT_LENGTH_MAX = 200;
    private static final int ITEMS_MAX = 1_000;
    private static final long AMOUNT_CENTS_MAX = 1_000_000_000_000L;
    private static final Pattern CURRENCY = Pattern.compile("[A-Z]{3}");

    /** What {@code GET /contracts/{id}} answers there; any field may be null until it is checked. */
    record Header(
            @Nullable String id,
            @Nullable String customer,
            @Nullable String currency) {}

    /** What {@code GET /contracts/{id}/items} answers there in a list; anything may be in it until it is checked. */
    record Item(int position, @Nullable String description, long amountCents) {}

    /** @throws RequestFailedException if the data is not such that it can be stored (400) */
    void requireValid() {
        Checks checks = new Checks(problem -> unfit(id, problem, null));
        checks.require(id.equals(header.value().id()), "its header is that of another contract");
        checks.text("the customer", header.value().customer(), TEXT_LENGTH_MAX);
        String currency = checks.text("the currency", header.value().currency(), TEXT_LENGTH_MAX);
        checks.require(CURRENCY.matcher(currency).matches(), "the currency is not three capital letters");
        checks.require(items.value().size() <= ITEMS_MAX, "it has more than " + ITEMS_MAX + " items");
        Set<Integer> positions = new HashSet<>();
        for (@Nullable Item item : items.value()) {
            if (item == null) {
                throw checks.failed("an item is null");
            }
            String what = "item " + item.position();
            checks.require(item.position() >= 1, what + " has no position from 1 on");
            checks.require(positions.add(item.position()), what + " is there twice");
            checks.text("the description of " + what, item.description(), TEXT_LENGTH_MAX);
            checks.require(
                    item.amountCents() >= -AMOUNT_CENTS_MAX && item.amountCents() <= AMOUNT_CENTS_MAX,
                    "the amount of " + what + " is beyond " + AMOUNT_CENTS_MAX + " cents");
        }
    }

    long totalCents() {
        return items.value().stream().mapToLong(Item::amountCents).sum();
    }

    /** What the other service has is missing or wrong: it has to be corrected there. */
    static RequestFailedException unfit(String id, String problem, @Nullable Throwable cause) {
        return new RequestFailedException(
                HttpStatus.BAD_REQUEST,
                "Cannot aggregate contract " + id + ": " + problem
                        + ". Nothing was stored, what was stored before stays."
                        + " Correct it in the service that has the contracts, then send the same request again.",
                cause);
    }
}
