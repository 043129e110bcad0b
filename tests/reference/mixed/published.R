# Fits published data with lme4, lmerTest, pbkrtest and nlme, at settings as tight as they take, and writes published.json:
#   python published.py FOLDER; Rscript published.R FOLDER published.json       (about two minutes)
# Two optimisers of lme4; the better optimum counts. Kenward-Roger is left out where pbkrtest needs gigabytes (kr = FALSE).
suppressMessages({library(jsonlite); library(lme4); library(lmerTest); library(pbkrtest); library(nlme)})
arguments <- commandArgs(TRUE)
folder <- arguments[1]
read <- function(name) read.csv(file.path(folder, paste0(name, ".csv")), stringsAsFactors = FALSE)
bobyqa <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 2e5), check.conv.singular = "ignore")
nlopt <- lmerControl(optimizer = "nloptwrap", check.conv.singular = "ignore", optCtrl = list(
  xtol_rel = 1e-12, xtol_abs = 1e-12, ftol_abs = 1e-14, ftol_rel = 1e-15, maxeval = 1e5))
plain <- function(x) as.list(unname(x))
both <- function(f, d, REML) {
  f <- as.formula(f, env = environment())
  a <- suppressWarnings(lmerTest::lmer(f, d, REML = REML, control = bobyqa))
  b <- suppressWarnings(lmerTest::lmer(f, d, REML = REML, control = nlopt))
  if (logLik(b) > logLik(a)) b else a
}
basics <- function(m) list(logLik = as.numeric(logLik(m)), estimate = plain(fixef(m)),
  se = plain(sqrt(diag(as.matrix(vcov(m))))), variances = plain(as.data.frame(VarCorr(m))$vcov))
joint_rows <- function(p, at) { L <- matrix(0, length(at), p); L[cbind(seq_along(at), at)] <- 1; L }

lmers <- list(
  list("sleep", "y ~ days + (days | subject)"),
  list("sleep_uncorrelated", "y ~ days + (days || subject)", data = "sleep"),
  list("pastes", "y ~ 1 + (1 | batch/cask)"),
  list("penicillin", "y ~ 1 + (1 | plate) + (1 | sample)"),
  list("dyestuff", "y ~ 1 + (1 | batch)"),
  list("oats", "y ~ nitro + marvellous + victory + (1 | block/variety)", joint = c(3, 4)),
  list("ratings", "y ~ service + lectage + studage + (1 | student) + (1 | lecturer)", joint = c(3, 4), kr = FALSE),
  list("depression", "y ~ pre + month + treated + drug + long + (1 | client)", joint = c(5, 6)),
  list("depression_slope", "y ~ pre + month + treated + drug + long + (month | client)", data = "depression", joint = c(3, 4)),
  list("classes", "y ~ small + aide + (1 | school/teacher)", joint = c(2, 3)),
  list("pupils", "y ~ small + aide + year + (1 | pupil) + (1 | school)", joint = c(2, 3), kr = FALSE),
  list("early", "y ~ age * treated + (age | child)", joint = c(3, 4)),
  list("growth", "y ~ year + lowinc + year:lowinc + (year | school) + (year | child)", joint = c(3, 4)),
  list("teeth", "y ~ age * girl + (age | child)", joint = c(3, 4)))
out <- list()
for (x in lmers) {
  began <- proc.time()[3]
  d <- read(if (is.null(x$data)) x[[1]] else x$data)
  m <- both(x[[2]], d, TRUE)
  r <- list(formula = x[[2]], reml = basics(m), ml = basics(both(x[[2]], d, FALSE)))
  s <- coef(summary(m)); p <- nrow(s)
  r$satterthwaite <- list(df = plain(s[, "df"]))
  L <- if (is.null(x$joint)) NULL else joint_rows(p, x$joint)
  if (!is.null(L)) {
    a <- contestMD(m, L)
    r$joint <- plain(x$joint - 1)
    r$satterthwaite$joint <- list(F = a$`F value`, df = a$DenDF)
  }
  if (!isFALSE(x$kr)) {
    V <- vcovAdj(m)
    r$kenward_roger <- list(se = plain(sqrt(diag(as.matrix(V)))),
      df = plain(sapply(seq_len(p), function(j) get_Lb_ddf(m, as.numeric(seq_len(p) == j)))))
    if (!is.null(L)) {
      k <- KRmodcomp(m, L)
      r$kenward_roger$joint <- list(F = getKR(k, "Fstat"), df = getKR(k, "ddf"))
    }
  }
  out[[x[[1]]]] <- r
  cat(x[[1]], round(proc.time()[3] - began, 1), "s\n")
}

# nlme: gls and lme with structured residuals
tight <- list(maxIter = 500, msMaxIter = 2000, tolerance = 1e-12, msTol = 1e-14, returnObject = TRUE)
gls_control <- do.call(glsControl, tight)
lme_control <- do.call(lmeControl, c(tight, list(niterEM = 50, msMaxEval = 20000)))
depression <- read("depression"); teeth <- read("teeth"); follicles <- read("follicles"); early <- read("early")
bdi <- y ~ pre + month + treated + drug + long
growing <- y ~ age * girl
nlmes <- list(
  depression_ar1 = function(k) gls(bdi, depression, correlation = corAR1(form = ~ wave | client), method = k, control = gls_control),
  depression_cs = function(k) gls(bdi, depression, correlation = corCompSymm(form = ~ 1 | client), method = k, control = gls_control),
  depression_us = function(k) gls(bdi, depression, correlation = corSymm(form = ~ wave | client),
    weights = varIdent(form = ~ 1 | wave), method = k, control = gls_control),
  teeth_us = function(k) gls(growing, teeth, correlation = corSymm(form = ~ wave | child),
    weights = varIdent(form = ~ 1 | wave), method = k, control = gls_control),
  teeth_cs = function(k) gls(growing, teeth, correlation = corCompSymm(form = ~ 1 | child), method = k, control = gls_control),
  teeth_classes = function(k) lme(growing, teeth, random = ~ 1 | child, weights = varIdent(form = ~ 1 | girl), method = k, control = lme_control),
  teeth_slopes_classes = function(k) lme(growing, teeth, random = ~ age | child, weights = varIdent(form = ~ 1 | girl), method = k, control = lme_control),
  early_classes = function(k) lme(y ~ age * treated, early, random = ~ 1 | child, weights = varIdent(form = ~ 1 | treated), method = k, control = lme_control),
  follicles_ar1 = function(k) lme(y ~ sine + cosine, follicles, random = ~ 1 | mare, correlation = corAR1(form = ~ day | mare), method = k, control = lme_control),
  follicles_slope_ar1 = function(k) lme(y ~ sine + cosine, follicles, random = list(mare = pdDiag(~ sine)),
    correlation = corAR1(form = ~ day | mare), method = k, control = lme_control))
for (name in names(nlmes)) {
  began <- proc.time()[3]
  r <- list()
  for (k in c("REML", "ML")) {
    m <- nlmes[[name]](k)
    b <- if (inherits(m, "lme")) fixef(m) else coef(m)
    found <- list(logLik = as.numeric(logLik(m)), estimate = plain(b),
      se = plain(sqrt(diag(if (inherits(m, "lme")) m$varFix else m$varBeta))), sigma = m$sigma)
    if (!is.null(m$modelStruct$corStruct)) found$correlation <- plain(coef(m$modelStruct$corStruct, unconstrained = FALSE))
    if (!is.null(m$modelStruct$varStruct)) found$ratio <- as.list(coef(m$modelStruct$varStruct, unconstrained = FALSE))
    if (inherits(m, "lme")) found$variances <- plain(as.matrix(getVarCov(m))[lower.tri(getVarCov(m), diag = TRUE)])
    r[[tolower(k)]] <- found
  }
  out[[name]] <- r
  cat(name, round(proc.time()[3] - began, 1), "s\n")
}
versions <- lapply(c(lme4 = "lme4", lmerTest = "lmerTest", pbkrtest = "pbkrtest", nlme = "nlme"), function(p) as.character(packageVersion(p)))
writeLines(toJSON(list(R = as.character(getRversion()), versions = versions, models = out), auto_unbox = TRUE, digits = NA, null = "null", pretty = 1), arguments[2])
