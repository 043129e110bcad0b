# Writes the numbers of fixtures.json and ranef.json again, from the csv files of this folder:
#   Rscript fixtures.R OUT.json
# Two optimisers of lme4 at tight settings; the better optimum counts (they agree to 1e-9 in log-likelihood).
suppressMessages({library(jsonlite); library(lme4); library(lmerTest); library(pbkrtest)})
out <- commandArgs(TRUE)[1]
bobyqa <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 2e5), check.conv.singular = "ignore")
nlopt <- lmerControl(optimizer = "nloptwrap", check.conv.singular = "ignore", optCtrl = list(
  xtol_rel = 1e-12, xtol_abs = 1e-12, ftol_abs = 1e-14, ftol_rel = 1e-15, maxeval = 1e5))
models <- list(
  lmm_few = y ~ x + treat + (1 | group), lmm_zero = y ~ x + z + (1 | group),
  lmm_3level = y ~ x + w + (1 | school/classroom), lmm_slope = y ~ time * treat + (time | id),
  lmm_cross = y ~ cond + length + (1 | subject) + (1 | item), lmm_pn = y ~ treat + x + (0 + treat | group),
  lmm_crt = y ~ treat + pre + (1 | cluster), lmm_year = y ~ year + post + (1 | site))
fixtures <- list()
add <- function(id, outputs) fixtures[[length(fixtures) + 1]] <<- list(id = id, outputs = outputs)
plain <- function(x) as.list(unname(x))
fitted_by <- function(f, d, REML) {
  f <- as.formula(deparse(f), env = environment())
  a <- suppressWarnings(lmerTest::lmer(f, d, REML = REML, control = bobyqa))
  b <- suppressWarnings(lmerTest::lmer(f, d, REML = REML, control = nlopt))
  stopifnot(abs(logLik(a) - logLik(b)) < 1e-8)
  if (logLik(b) > logLik(a) + 1e-9) b else a
}
for (name in names(models)) for (REML in c(TRUE, FALSE)) {
  d <- read.csv(paste0(name, ".csv"), stringsAsFactors = FALSE)
  m <- fitted_by(models[[name]], d, REML)
  tag <- paste0(name, if (REML) "_reml_" else "_ml_")
  p <- length(fixef(m))
  add(paste0(tag, "loglik"), list(logLik = as.numeric(logLik(m)), deviance_or_remlcrit = -2 * as.numeric(logLik(m)),
    n = nobs(m), p = p))
  add(paste0(tag, "estimates"), list(terms = plain(names(fixef(m))), theta = plain(getME(m, "theta")),
    theta_names = plain(names(getME(m, "theta"))), sigma = sigma(m), fixef = plain(fixef(m)),
    se = plain(sqrt(diag(as.matrix(vcov(m))))), vcov = unname(as.matrix(vcov(m))),
    VarCorr = lapply(as.list(as.data.frame(VarCorr(m))), plain)))
  if (!REML) next
  add(paste0(tag, "ranef"), lapply(ranef(m, condVar = TRUE), function(q) {
    k <- seq_len(min(4, nrow(q))); v <- attr(q, "postVar")
    list(level = plain(rownames(q)[k]), effect = unname(as.matrix(q)[k, , drop = FALSE]),
      condVar = lapply(k, function(j) matrix(v[, , j], nrow = dim(v)[1]))) }))
  s <- coef(summary(m))
  add(paste0(name, "_satterthwaite"), list(terms = plain(rownames(s)), estimate = plain(s[, 1]), se = plain(s[, 2]),
    df = plain(s[, 3]), t = plain(s[, 4]), p = plain(s[, 5])))
  L <- cbind(0, diag(p - 1)); if (p > 3) L <- L[c(2, 3), ]
  a <- contestMD(m, L)
  add(paste0(name, "_satterthwaite_joint"), list(F = a$`F value`, ndf = a$NumDF, ddf = a$DenDF, p = a$`Pr(>F)`))
  V <- as.matrix(vcovAdj(m)); se <- sqrt(diag(V)); t <- fixef(m) / se
  df <- sapply(seq_len(p), function(j) get_Lb_ddf(m, as.numeric(seq_len(p) == j)))
  add(paste0(name, "_kr"), list(terms = plain(names(fixef(m))), se = plain(se), df = plain(df), t = plain(t),
    p = plain(2 * pt(-abs(t), df)), vcov = unname(V)))
  k <- KRmodcomp(m, L)
  add(paste0(name, "_kr_joint"), list(F = getKR(k, "Fstat"), ndf = getKR(k, "ndf"), ddf = getKR(k, "ddf"),
    F_scaling = getKR(k, "F.scaling"), F_unscaled = getKR(k, "FstatU"), p = getKR(k, "p.value")))
}
writeLines(toJSON(fixtures, auto_unbox = TRUE, digits = NA, na = "null", null = "null"), out)
