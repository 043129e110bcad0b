# Numbers of lmerTest, pbkrtest and nlme for tests/models/test_growth.py. Run in this folder.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(nlme); library(jsonlite)})
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 2e5))
out <- list()
pooled <- function(y, arm) { v <- tapply(y, arm, var); n <- tapply(y, arm, length); sqrt(sum((n - 1) * v) / (sum(n) - 2)) }
linear <- function(id, f, d, duration, pre) {
  m <- lmerTest::lmer(as.formula(f), d, control = control); s <- coef(summary(m)); k <- coef(summary(m, ddf = "Kenward-Roger"))
  v <- as.data.frame(VarCorr(m)); v$grp <- sub("\\.[0-9]+$", "", v$grp)
  b <- nrow(s[grepl(":", rownames(s)), , drop = FALSE]); stopifnot(b == 1)
  i <- grep(":", rownames(s)); sd <- pooled(d$y[pre], d$arm[pre])
  cat(id, isSingular(m), logLik(m), "\n")
  out[[id]] <<- list(formula = f, logLik = as.numeric(logLik(m)), terms = rownames(s), estimate = unname(s[, 1]), se = unname(s[, 2]),
    df = unname(s[, 3]), p = unname(s[, 5]), kr_se = unname(k[, 2]), kr_df = unname(k[, 3]), kr_p = unname(k[, 5]),
    components = v[, c("grp", "var1", "var2", "sdcor")], sd_pre = sd, d = unname(s[i, 1]) * duration / sd) }
slope <- read.csv("../mixed/lmm_slope.csv"); slope$arm <- factor(slope$treat)
linear("lmm_slope", "y ~ arm * time + (1 + time | id)", slope, 6, slope$time == 0)
d <- read.csv("clinics.csv"); d$arm <- relevel(factor(d$arm), "usual"); d$id <- factor(d$id); d$agency <- factor(d$agency)
d$time <- c(pre = 0, m3 = 3, m6 = 6, m12 = 12)[d$wave]; d$occasion <- match(d$time, c(0, 3, 6, 12)); d$step <- factor(d$time)
linear("clients", "y ~ arm * time + age + sex + (1 + time | id)", d, 12, d$time == 0)
linear("agencies", "y ~ arm * time + age + (1 + time | agency) + (1 + time | id)", d, 12, d$time == 0)
few <- droplevels(d[d$agency %in% sprintf("a%02d", 1:6), ])
linear("few_agencies", "y ~ arm * time + (1 + time | agency) + (1 + time | id)", few, 12, few$time == 0)
tight <- lmeControl(tolerance = 1e-11, msTol = 1e-13, maxIter = 500, msMaxIter = 1000, opt = "optim", reltol = 1e-14)
gt <- glsControl(tolerance = 1e-11, msTol = 1e-13, maxIter = 500, msMaxIter = 1000)
waves <- function(id, m) { s <- summary(m)$tTable; cat(id, logLik(m), "\n")
  out[[id]] <<- list(logLik = as.numeric(logLik(m)), terms = rownames(s), estimate = unname(s[, 1]), se = unname(s[, 2])) }
waves("unstructured", gls(y ~ arm * step + age, d, correlation = corSymm(form = ~ occasion | id), weights = varIdent(form = ~ 1 | step), control = gt))
waves("compound_symmetry", gls(y ~ arm * step, d, correlation = corCompSymm(form = ~ 1 | id), control = gt))
waves("ar1", gls(y ~ arm * step, d, correlation = corAR1(0.9, form = ~ time | id), control = gt))
waves("agencies_waves", lme(y ~ arm * step, random = ~ 1 + time | agency, data = d, correlation = corSymm(form = ~ occasion | agency/id), weights = varIdent(form = ~ 1 | step), control = tight))
# a change from before to after, where everybody has both: the t test on the gains
both <- names(which(tapply(d$wave %in% c("pre", "m12"), d$id, sum) == 2)); two <- d[d$id %in% both & d$wave %in% c("pre", "m12"), ]
two <- two[order(two$id, two$time), ]; gain <- two$y[two$time == 12] - two$y[two$time == 0]; arm <- two$arm[two$time == 0]
t <- t.test(gain ~ arm, var.equal = TRUE); out$gains <- list(estimate = unname(t$estimate[2] - t$estimate[1]), se = t$stderr, df = unname(t$parameter), p = t$p.value, n = length(gain))
writeLines(toJSON(list(R = R.version.string, lme4 = as.character(packageVersion("lme4")), lmerTest = as.character(packageVersion("lmerTest")),
  pbkrtest = as.character(packageVersion("pbkrtest")), nlme = as.character(packageVersion("nlme")), models = out),
  auto_unbox = TRUE, digits = 12, pretty = TRUE, na = "null"), "fixtures.json")
