# Simulates visits (counts, time at risk) and nested yes/no data, fits them with lme4, and writes glmm.json.
#   Rscript glmm.R
suppressMessages({library(lme4); library(jsonlite)})
set.seed(20260)
sites <- 24; size <- 3 + rpois(sites, 9)
visits <- data.frame(site = rep(seq_len(sites), size))
visits$arm <- as.integer(visits$site %% 2 == 0); visits$need <- round(rnorm(nrow(visits)), 2)
visits$months <- round(runif(nrow(visits), 1, 12), 1)
visits$visits <- rpois(nrow(visits), visits$months * exp(-1 + 0.3 * visits$arm + 0.2 * visits$need + rnorm(sites, 0, 0.5)[visits$site]))
write.csv(visits, "glmm_visits.csv", row.names = FALSE)
agencies <- 14; groups <- 5
housed <- expand.grid(member = 1:9, group = seq_len(groups), agency = seq_len(agencies))
housed <- housed[runif(nrow(housed)) < .85, ]
housed$unit <- (housed$agency - 1) * groups + housed$group
housed$arm <- as.integer(housed$agency <= agencies / 2); housed$age <- round(rnorm(nrow(housed)), 2)
eta <- -0.4 + 0.5 * housed$arm + 0.3 * housed$age + rnorm(agencies, 0, 0.6)[housed$agency] + rnorm(agencies * groups, 0, 0.8)[housed$unit]
housed$housed <- rbinom(nrow(housed), 1, plogis(eta)); housed$calls <- rpois(nrow(housed), exp(eta))
write.csv(housed[c("agency", "group", "unit", "arm", "age", "housed", "calls")], "glmm_housed.csv", row.names = FALSE)
control <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, optCtrl = list(rhoend = 1e-10, maxfun = 1e5), check.conv.grad = "ignore")
told <- function(m) {
  list(fixef = as.numeric(fixef(m)), se = sqrt(diag(as.matrix(vcov(m, use.hessian = TRUE)))), sd = as.numeric(getME(m, "theta")),
    logLik = as.numeric(logLik(m)))
}
fits <- list(
  poisson_laplace = glmer(visits ~ arm + need + offset(log(months)) + (1 | site), visits, poisson, control = control),
  poisson_agq9 = glmer(visits ~ arm + need + offset(log(months)) + (1 | site), visits, poisson, nAGQ = 9, control = control),
  nested_binomial = glmer(housed ~ arm + age + (1 | agency) + (1 | unit), housed, binomial, control = control),
  nested_poisson = glmer(calls ~ arm + age + (1 | agency) + (1 | unit), housed, poisson, control = control))
out <- lapply(fits, told)
# With nAGQ > 1 lme4 leaves the constants of the Poisson density out: it reports minus half the deviance.
out$poisson_agq9$saturated <- sum(dpois(visits$visits, visits$visits, log = TRUE))
out$versions <- list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")))
write_json(out, "glmm.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
