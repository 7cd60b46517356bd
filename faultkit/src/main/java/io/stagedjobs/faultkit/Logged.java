package io.stagedjobs.faultkit;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.AppenderBase;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import org.slf4j.LoggerFactory;

/** All that is logged until it is closed, by us, by the clients, and by the driver, which has a logger of its own. */
public final class Logged implements AutoCloseable {

    private final List<String> lines = new CopyOnWriteArrayList<>();

    private final AppenderBase<ILoggingEvent> appender = new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
            IThrowableProxy thrown = event.getThrowableProxy();
            lines.add(event.getLevel() + " " + event.getLoggerName() + " " + event.getFormattedMessage()
                    + (thrown == null ? "" : "\n" + ThrowableProxyUtil.asString(thrown)));
        }
    };

    private final Handler handler = new Handler() {
        @Override
        public void publish(LogRecord entry) {
            lines.add(entry.getLevel() + " " + entry.getLoggerName() + " " + entry.getMessage()
                    + (entry.getParameters() == null ? "" : List.of(entry.getParameters()))
                    + (entry.getThrown() == null ? "" : entry.getThrown()));
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    };

    public Logged() {
        appender.start();
        root().addAppender(appender);
        LogManager.getLogManager().getLogger("").addHandler(handler);
    }

    private static Logger root() {
        return (Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME);
    }

    /** Level, logger, message and stack trace of each event. */
    public List<String> lines() {
        return lines;
    }

    @Override
    public void close() {
        root().detachAppender(appender);
        LogManager.getLogManager().getLogger("").removeHandler(handler);
    }
}
