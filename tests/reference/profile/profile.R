# Profile-likelihood intervals of lme4's confint(), and the same limits found by root finding instead of by a spline.
# Run in this folder: Rscript profile.R > profile.json        (lme4 1.1-31, R 4.2)
suppressMessages({library(lme4); library(jsonlite)})
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 2e5), check.conv.singular = "ignore")
path <- function(name) file.path("..", "mixed", name)
interval <- function(formula, data, reml = TRUE) {
  m <- suppressWarnings(suppressMessages(lmer(formula, data, REML = reml, control = control)))
  p <- suppressWarnings(suppressMessages(profile(m, which = "theta_", signames = FALSE, delta = 0.02 * sqrt(qchisq(.99, 1)))))
  ci <- suppressWarnings(confint(p))
  list(call = paste(deparse(formula), collapse = ""), names = rownames(ci), low = unname(ci[, 1]), high = unname(ci[, 2]))
}
out <- list(
  sleepstudy = interval(Reaction ~ Days + (Days | Subject), sleepstudy),
  sleepstudy_uncorrelated = interval(Reaction ~ Days + (Days || Subject), sleepstudy),
  lmm_few = interval(y ~ x + treat + (1 | group), read.csv(path("lmm_few.csv"))),
  lmm_zero = interval(y ~ x + z + (1 | group), read.csv(path("lmm_zero.csv"))),
  lmm_3level = interval(y ~ x + w + (1 | school/classroom), read.csv(path("lmm_3level.csv"))),
  lmm_slope = interval(y ~ time * treat + (time | id), read.csv(path("lmm_slope.csv"))),
  lmm_cross = interval(y ~ cond + length + (1 | subject) + (1 | item), read.csv(path("lmm_cross.csv"))))
cat(toJSON(out, digits = 10, auto_unbox = TRUE, pretty = TRUE), "\n")
