# Reference numbers for the designs on programme.csv of this folder:
#   Rscript designs.R > designs.json
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich); library(nlme); library(jsonlite)})
d <- read.csv("programme.csv", stringsAsFactors = FALSE)
d$t <- as.numeric(d$arm == "training"); d$o <- as.numeric(d$offer == "group_work")
d$unit <- ifelse(d$o == 1, d$group, paste0("c", seq_len(nrow(d))))
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 2e5), check.conv.singular = "ignore")
# the formula is read where the function has its data
fit <- function(f) lmerTest::lmer(as.formula(f, env = environment()), d, control = tight)
both <- function(f, line, cluster) {
  m <- fit(f); s <- coef(summary(m)); p <- nrow(s)
  V <- as.matrix(vcovAdj(m)); e <- fixef(m)
  df <- sapply(seq_len(p), function(j) get_Lb_ddf(m, as.numeric(seq_len(p) == j)))
  r <- as.data.frame(coef_test(lm(as.formula(line), d), vcov = "CR2", cluster = d[[cluster]], test = "Satterthwaite"))
  v <- as.data.frame(VarCorr(m))
  list(model = f, terms = names(e), log_likelihood = as.numeric(logLik(m)), variances = v$vcov,
    satterthwaite = list(estimate = unname(e), std_error = s[, 2], df = s[, 3], p_value = s[, 5]),
    kenward_roger = list(estimate = unname(e), std_error = unname(sqrt(diag(V))), df = df,
      p_value = unname(2 * pt(-abs(e / sqrt(diag(V))), df))),
    cr2 = list(estimate = r$beta, std_error = r$SE, df = r$df_Satt, p_value = r$p_Satt))
}
share <- function(f) { v <- as.data.frame(VarCorr(fit(f)))$vcov; v[1] / sum(v) }
by_arm <- function(random, fixed = post ~ o + pre) {
  m <- nlme::lme(fixed, data = d, random = random, weights = varIdent(form = ~1 | o), method = "REML",
    control = lmeControl(opt = "nlminb", msMaxIter = 500, tolerance = 1e-12, msTol = 1e-14, msVerbose = FALSE, returnObject = TRUE))
  ratio <- coef(m$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
  v <- VarCorr(m); v <- suppressWarnings(as.numeric(v[, "Variance"])); v <- v[!is.na(v)]
  list(terms = names(fixef(m)), estimate = unname(fixef(m)), std_error = unname(sqrt(diag(m$varFix))),
    log_likelihood = as.numeric(logLik(m)), random = v[-length(v)], residual = unname(m$sigma^2 * ratio[c("0", "1")]^2))
}
within <- as.data.frame(coef_test(lm(post ~ factor(agency) + o + pre, d), vcov = "CR2", cluster = d$agency, test = "Satterthwaite"))["o", ]
within <- list(estimate = within$beta, std_error = within$SE, df = within$df_Satt, p_value = within$p_Satt)
cat(toJSON(list(R = R.version.string, lme4 = as.character(packageVersion("lme4")), nlme = as.character(packageVersion("nlme")),
  cluster_trial = both("post ~ t + pre + (1 | agency)", "post ~ t + pre", "agency"),
  cluster_trial_flat = both("flat ~ t + pre + (1 | agency)", "flat ~ t + pre", "agency"),
  cluster_trial_icc = share("post ~ t + (1 | agency)"),
  two_group = both("post ~ o + pre + (1 | agency)", "post ~ o + pre", "agency"),
  two_group_icc = share("post ~ o + (1 | agency)"),
  groups = by_arm(list(unit = ~0 + o)), groups_alone = by_arm(list(unit = ~0 + o), post ~ o),
  groups_in_agencies = by_arm(list(agency = ~1, unit = ~0 + o)),
  within_agencies_cr2 = within),
  digits = I(15), auto_unbox = TRUE, pretty = TRUE), "\n")
