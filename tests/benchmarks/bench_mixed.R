# Times lme4, lmerTest, pbkrtest and clubSandwich on the csv files that bench_mixed.py wrote, and prints json:
#   OPENBLAS_NUM_THREADS=1 Rscript bench_mixed.R FOLDER NAME [NAME ...]
# `fit` is the fastest of several runs of lmer() alone, from a data frame, in seconds of the processor; default settings.
suppressMessages({library(jsonlite); library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich)})
arguments <- commandArgs(TRUE)
models <- list(
  sleep = y ~ days + (days | subject), ct10k = y ~ treated + x + (1 | cluster),
  long60k = y ~ treated * time + (1 | client) + (time | org), long300k = y ~ treated * time + (1 | client) + (time | org),
  long1m = y ~ treated * time + (1 | client) + (time | org), slope1m = y ~ treated * time + (time | client) + (1 | org),
  slope60k = y ~ treated * time + (time | client) + (1 | org),
  ratings = y ~ service + lectage + studage + (1 | student) + (1 | lecturer), few20k = y ~ treated + x + (1 | org))
runs <- c(sleep = 20, ct10k = 8, few20k = 3, ratings = 3, long60k = 2)
cpu <- function() sum(proc.time()[c("user.self", "sys.self")])
seconds <- function(x) { gc(); began <- cpu(); force(x); cpu() - began }
out <- list()
for (name in arguments[-1]) {
  d <- read.csv(file.path(arguments[1], paste0(name, ".csv")))
  if (name == "robust50k") {
    m <- lm(y ~ treated + x1 + x2 + x3 + x4 + x5, d)
    took <- seconds({ V <- vcovCR(m, cluster = d$cluster, type = "CR2"); tests <- coef_test(m, vcov = V, test = "Satterthwaite") })
    out[[name]] <- list(fit = took, se = as.list(unname(tests$SE)), df = as.list(unname(tests$df_Satt)))
  } else {
    f <- models[[name]]
    times <- sapply(seq_len(if (is.na(runs[name])) 1 else runs[[name]]), function(k)
      seconds(m <<- suppressWarnings(lme4::lmer(f, d))))
    out[[name]] <- list(fit = min(times), logLik = as.numeric(logLik(m)))
    if (name %in% c("sleep", "ct10k", "long60k", "ratings"))
      out[[name]]$lmerTest <- seconds(summary(suppressWarnings(lmerTest::lmer(f, d))))
    if (name %in% c("sleep", "ct10k"))
      out[[name]]$pbkrtest <- seconds({ vcovAdj(m); for (j in seq_along(fixef(m))) get_Lb_ddf(m, as.numeric(seq_along(fixef(m)) == j)) })
  }
}
cat(toJSON(out, auto_unbox = TRUE, digits = NA, pretty = TRUE), "\n")
