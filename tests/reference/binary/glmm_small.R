# Simulates twelve small data sets (6 to 12 agencies of four units) and writes lme4's log-likelihoods of four models each:
# logistic and Poisson, agency alone and unit within agency, by Laplace.
#   Rscript glmm_small.R
suppressMessages({library(lme4); library(jsonlite)})
set.seed(771)
one <- function(k) {
  agencies <- sample(6:12, 1); sizes <- sample(2:8, agencies * 4, replace = TRUE)
  unit <- rep(seq_along(sizes), sizes); agency <- (unit - 1) %/% 4 + 1; n <- length(unit)
  arm <- agency %% 2; x <- round(rnorm(n), 2)
  eta <- -0.5 + 0.4 * arm + 0.3 * x + rnorm(agencies, 0, sample(c(0, 0.3, 0.8), 1))[agency] +
    rnorm(agencies * 4, 0, sample(c(0, 0.4, 0.9), 1))[unit]
  data.frame(set = k, agency, unit, arm, x, yes = rbinom(n, 1, plogis(eta)), count = rpois(n, exp(eta)))
}
data <- do.call(rbind, lapply(1:12, one))
write.csv(data, "glmm_small.csv", row.names = FALSE)
tight <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-12, optCtrl = list(rhoend = 1e-9, maxfun = 1e5), calc.derivs = FALSE,
  check.conv.singular = "ignore")
value <- function(formula, family, d) as.numeric(logLik(glmer(formula, d, family, control = tight)))
out <- lapply(split(data, data$set), function(d) list(
  yes_1 = value(yes ~ arm + x + (1 | agency), binomial, d), yes_2 = value(yes ~ arm + x + (1 | agency) + (1 | unit), binomial, d),
  count_1 = value(count ~ arm + x + (1 | agency), poisson, d), count_2 = value(count ~ arm + x + (1 | agency) + (1 | unit), poisson, d)))
write_json(out, "glmm_small.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
