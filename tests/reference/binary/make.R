# Prints what fixtures.json holds for the four csv files beside it: clubSandwich 0.6.0 on glm (cr_logit*), geepack 1.3.9
# and lme4 1.1.31 (bin_*). One fixture per call, with its tolerance.
#   Rscript make.R
suppressMessages({library(clubSandwich); library(geepack); library(lme4)})
for (name in c("cr_logit1", "cr_logit2")) {
  data <- read.csv(paste0(name, ".csv"))
  fit <- glm(y ~ treat + x, binomial, data, control = glm.control(epsilon = 1e-14, maxit = 100))
  print(coef(summary(fit)), digits = 15); print(logLik(fit), digits = 15)
  for (type in c("CR0", "CR2")) print(coef_test(fit, vcovCR(fit, data$cluster, type), test = "Satterthwaite"), digits = 15)
  print(Wald_test(fit, constrain_zero(2:3), vcovCR(fit, data$cluster, "CR2"), test = "HTZ"), digits = 15)
}
tight <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-12, optCtrl = list(rhoend = 1e-9, maxfun = 1e5))
for (name in c("bin_1", "bin_2")) {
  data <- read.csv(paste0(name, ".csv"))
  for (correlation in c("independence", "exchangeable"))
    print(summary(geeglm(y ~ treat + x, binomial, data, id = cluster, corstr = correlation,
      control = geese.control(epsilon = 1e-12, maxit = 200))), digits = 15)
  for (points in c(1, 11)) {
    fit <- glmer(y ~ treat + x + (1 | cluster), data, binomial, nAGQ = points, control = tight)
    print(fixef(fit), digits = 15); print(getME(fit, "theta"), digits = 15); print(logLik(fit), digits = 15)
    print(sqrt(diag(as.matrix(vcov(fit, use.hessian = TRUE)))), digits = 15)
  }
}
