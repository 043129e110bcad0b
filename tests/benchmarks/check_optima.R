# Fits every trial of one layout with lme4 and prints the best REML log-likelihood of two of its optimisers, a line each:
#   Rscript check_optima.R FILE.csv "FORMULA"
suppressMessages(library(lme4))
arguments <- commandArgs(TRUE)
f <- as.formula(arguments[2])
bobyqa <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), calc.derivs = FALSE,
  check.conv.singular = "ignore", check.rankX = "ignore")
usual <- lmerControl(calc.derivs = FALSE, check.conv.singular = "ignore", check.rankX = "ignore")
for (d in split(d <- read.csv(arguments[1]), d$trial)) {
  found <- sapply(list(bobyqa, usual), function(k) as.numeric(logLik(suppressWarnings(suppressMessages(lmer(f, d, control = k))))))
  cat(d$trial[1], format(found, digits = 17), "\n")
}
