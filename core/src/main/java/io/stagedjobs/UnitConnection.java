package io.stagedjobs;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import org.jspecify.annotations.Nullable;

/**
 * A unit's connection as its block sees it. Only the unit ends the transaction; the pending jobs learn of each
 * savepoint that is set or rolled back; once the unit has ended, every call is refused. All other calls pass through.
 */
final class UnitConnection implements InvocationHandler {

    private final Connection connection;
    private final PendingJobs pending;
    private final Runnable requireOpen;

    private UnitConnection(Connection connection, PendingJobs pending, Runnable requireOpen) {
        this.connection = connection;
        this.pending = pending;
        this.requireOpen = requireOpen;
    }

    /** @param requireOpen throws once the unit has ended */
    static Connection of(Connection connection, PendingJobs pending, Runnable requireOpen) {
        return (Connection) Proxy.newProxyInstance(
                UnitConnection.class.getClassLoader(),
                new Class<?>[] {Connection.class},
                new UnitConnection(connection, pending, requireOpen));
    }

    @Override
    public @Nullable Object invoke(Object proxy, Method method, Object @Nullable [] arguments) throws Throwable {
        String name = method.getName();
        if (method.getDeclaringClass() == Object.class) {
            return switch (name) {
                case "equals" -> arguments != null && proxy == arguments[0];
                case "hashCode" -> System.identityHashCode(proxy);
                default -> connection.toString();
            };
        }
        requireOpen.run();
        if (endsTheTransaction(name, arguments)) {
            throw new IllegalStateException("cannot call Connection." + name
                    + " in a unit of work: only the unit ends its transaction, and keeps its connection until then."
                    + " Throw an exception to roll everything back, or use a nested DSLContext.transaction(…) or a"
                    + " savepoint to roll back a part.");
        }
        Object result = onConnection(method, arguments);
        if (result instanceof Savepoint savepoint) {
            pending.mark(savepoint);
        } else if (name.equals("rollback") && arguments != null && arguments[0] instanceof Savepoint savepoint) {
            pending.rollBackTo(savepoint);
        }
        return result;
    }

    private boolean endsTheTransaction(String method, Object @Nullable [] arguments) throws SQLException {
        return switch (method) {
            case "commit", "close" -> true;
            case "rollback" -> arguments == null;
            case "setAutoCommit" -> arguments != null && !arguments[0].equals(connection.getAutoCommit());
            default -> false;
        };
    }

    private @Nullable Object onConnection(Method method, Object @Nullable [] arguments) throws Throwable {
        try {
            return method.invoke(connection, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause() == null ? e : e.getCause();
        }
    }
}
