package io.stagedjobs.sample;

import io.javalin.http.BadRequestResponse;
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

    /** A value with the ETag of its HTTP response, quotes included; null if there was none. */
    record Versioned<T>(T value, @Nullable String etag) {}

    /** The answer to {@code GET /contracts/{id}} there; any field may be null until it is checked. */
    record Header(
            @Nullable String id,
            @Nullable String customer,
            @Nullable String currency) {}

    /**
     * An item in the answer to {@code GET /contracts/{id}/items} there; it may contain anything until it is checked.
     */
    record Item(int position, @Nullable String description, long amountCents) {}

    /** @throws BadRequestResponse if the data cannot be stored */
    void requireValid() {
        try {
            check();
        } catch (InvalidInputException e) {
            throw unfit(id, String.valueOf(e.getMessage()));
        }
    }

    private void check() {
        Checks.require(id.equals(header.value().id()), "its header is that of another contract");
        Checks.text("the customer", header.value().customer(), TEXT_LENGTH_MAX);
        String currency = Checks.text("the currency", header.value().currency(), TEXT_LENGTH_MAX);
        Checks.require(CURRENCY.matcher(currency).matches(), "the currency is not three capital letters");
        Checks.require(items.value().size() <= ITEMS_MAX, "it has more than " + ITEMS_MAX + " items");
        Set<Integer> positions = new HashSet<>();
        for (@Nullable Item item : items.value()) {
            if (item == null) {
                throw new InvalidInputException("an item is null");
            }
            String what = "item " + item.position();
            Checks.require(item.position() >= 1, what + " has no position from 1 on");
            Checks.require(positions.add(item.position()), what + " is there twice");
            Checks.text("the description of " + what, item.description(), TEXT_LENGTH_MAX);
            Checks.require(
                    item.amountCents() >= -AMOUNT_CENTS_MAX && item.amountCents() <= AMOUNT_CENTS_MAX,
                    "the amount of " + what + " is beyond " + AMOUNT_CENTS_MAX + " cents");
        }
    }

    long totalCents() {
        return items.value().stream().mapToLong(Item::amountCents).sum();
    }

    /** The other service's data is missing or wrong: somebody must correct it there. */
    static BadRequestResponse unfit(String id, String problem) {
        return new BadRequestResponse("Cannot aggregate contract " + id + ": " + problem
                + ". Nothing was stored, what was stored before stays."
                + " Correct it in the service that has the contracts, then send the same request again.");
    }
}
