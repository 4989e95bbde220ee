/* Lines on standard error; with a priority in front when the journal of systemd reads them. Any thread. */
#ifndef TOOLS_OTPRINGD_LOG_H
#define TOOLS_OTPRINGD_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6 };

/* Once, before threads. The program's name stands before each line where no journal adds it. */
void log_start(const char *program);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
