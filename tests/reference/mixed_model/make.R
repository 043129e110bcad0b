# Numbers of lme4, lmerTest, pbkrtest and nlme for the models of test_mixed_model.py. Run in this folder.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(nlme); library(jsonlite)})
d <- read.csv("visits.csv")
d$arm <- relevel(factor(d$arm), "usual"); d$sex <- factor(d$sex); d$site <- factor(d$site)
d$group[d$group == ""] <- "none"
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 2e5))
out <- list()
components <- function(m) { v <- as.data.frame(VarCorr(m)); v$grp <- sub("\\.[0-9]+$", "", v$grp); v[, c("grp", "var1", "var2", "sdcor")] }
lmm <- function(id, f, REML = TRUE, weights = NULL, kr = REML, joint = NULL) {
  f <- as.formula(f)
  m <- if (is.null(weights)) lmerTest::lmer(f, d, REML = REML, control = control) else lmerTest::lmer(f, d, REML = REML, control = control, weights = weight)
  s <- coef(summary(m)); r <- list(formula = deparse(f, width.cutoff = 200), logLik = as.numeric(logLik(m)), terms = rownames(s), estimate = unname(s[, 1]),
    se = unname(s[, 2]), df = unname(s[, 3]), p = unname(s[, 5]), components = components(m))
  if (kr) { k <- coef(summary(m, ddf = "Kenward-Roger")); r$kr_se <- unname(k[, 2]); r$kr_df <- unname(k[, 3]) }
  if (!is.null(joint)) { a <- anova(m, type = 3)[joint, ]; L <- diag(length(fixef(m)))[grepl(paste0("^", joint), names(fixef(m))), ]
    a <- contestMD(m, L); r$joint <- list(F = a[["F value"]], df = a$DenDF, p = a[["Pr(>F)"]]) }
  cat(id, isSingular(m), r$logLik, "\n"); out[[id]] <<- r }
lmm("promise", "y ~ arm * wave + (1 + wave | agency) + (1 | agency:client)")
lmm("nested", "y ~ arm * wave + site + (1 | agency/client)", joint = "site")
lmm("ml", "y ~ arm * wave + (1 | agency/client)", REML = FALSE)
lmm("double_bar", "y ~ wave + (1 + wave || agency)")
lmm("category", "y ~ wave + (1 + sex | agency)")
lmm("cells", "y ~ wave + (0 + sex | agency)")
lmm("crossed", "y ~ wave + (1 | agency) + (1 | worker)")
lmm("partial", "y ~ arm + (0 + program | group)")
lmm("weighted", "y ~ wave + (1 | agency)", weights = TRUE, kr = FALSE)  # pbkrtest leaves weights out of Sigma
d$id <- factor(paste(d$agency, d$client))
nl <- function(id, m, extra) { s <- summary(m)$tTable; out[[id]] <<- c(list(logLik = as.numeric(logLik(m)), terms = rownames(s), estimate = unname(s[, 1]), se = unname(s[, 2]), sigma = m$sigma), extra); cat(id, m$sigma, "\n") }
tight <- lmeControl(tolerance = 1e-10, msTol = 1e-12, maxIter = 200, msMaxIter = 500); gt <- glsControl(tolerance = 1e-10, msTol = 1e-12, maxIter = 200, msMaxIter = 500)
m <- lme(y ~ arm * wave, random = ~ 1 | agency, data = d, weights = varIdent(form = ~ 1 | arm), control = tight)
nl("by", m, list(ratio = unname(coef(m$modelStruct$varStruct, unconstrained = FALSE)), sd = as.numeric(VarCorr(m)[1, 2])))
m <- gls(y ~ arm * wave, d, correlation = corAR1(form = ~ wave | id), control = gt)
nl("ar1", m, list(rho = unname(coef(m$modelStruct$corStruct, unconstrained = FALSE))))
m <- gls(y ~ arm * wave, d, correlation = corCompSymm(form = ~ 1 | id), control = gt)
nl("compound_symmetry", m, list(rho = unname(coef(m$modelStruct$corStruct, unconstrained = FALSE))))
m <- gls(y ~ arm * wave, d, correlation = corSymm(form = ~ I(wave + 1) | id), weights = varIdent(form = ~ 1 | wave), control = gt)
nl("unstructured", m, list(correlations = unname(coef(m$modelStruct$corStruct, unconstrained = FALSE)), ratios = unname(coef(m$modelStruct$varStruct, unconstrained = FALSE))))
writeLines(toJSON(list(R = R.version.string, lme4 = as.character(packageVersion("lme4")), lmerTest = as.character(packageVersion("lmerTest")), pbkrtest = as.character(packageVersion("pbkrtest")), nlme = as.character(packageVersion("nlme")), models = out), auto_unbox = TRUE, digits = 12, pretty = TRUE, na = "null"), "fixtures.json")
