# Reference numbers for three designs on data of R packages. The data are not passed on with this project.
#   Rscript real_designs.R DIR > real_designs.json
# DIR holds HSAUR3__BtheB.csv (HSAUR3::BtheB), jobs2.csv (mediation::jobs) and
# clubSandwich__AchievementAwards2001.csv (clubSandwich::AchievementAwardsRCT, year 2001).
suppressMessages({library(clubSandwich); library(jsonlite); library(lme4); library(lmerTest); library(pbkrtest)})
dir <- commandArgs(TRUE)[1]
table_of <- function(m, terms = names(coef(m))) {
  s <- coef(summary(m))[terms, , drop = FALSE]
  list(terms = terms, estimate = s[, 1], std_error = s[, 2], statistic = s[, 3], df = rep(df.residual(m), nrow(s)), p_value = s[, 4])
}
robust <- function(m, cluster, type = "CR2") {
  s <- as.data.frame(coef_test(m, vcov = type, cluster = cluster, test = "Satterthwaite"))
  list(terms = names(coef(m)), estimate = s$beta, std_error = s$SE, statistic = s$tstat, df = s$df_Satt, p_value = s$p_Satt)
}
mixed <- function(f) {
  m <- lmerTest::lmer(f, a, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 2e5)))
  s <- coef(summary(m)); v <- as.data.frame(VarCorr(m))$vcov
  e <- sqrt(diag(as.matrix(vcovAdj(m)))); df <- sapply(seq_along(e), function(j) get_Lb_ddf(m, as.numeric(seq_along(e) == j)))
  list(terms = rownames(s), estimate = s[, 1], std_error = s[, 2], df = s[, 3], statistic = s[, 4], p_value = s[, 5],
    log_likelihood = as.numeric(logLik(m)), variances = v, kenward_roger = list(std_error = unname(e), df = df))
}
pooled <- function(y, g) { v <- tapply(y, g, var); n <- tapply(y, g, length); sqrt(sum((n - 1) * v) / (sum(n) - 2)) }

b <- read.csv(file.path(dir, "HSAUR3__BtheB.csv")); names(b) <- gsub(".", "_", names(b), fixed = TRUE)
k <- !is.na(b$bdi_2m); bk <- b[k, ]; bk$arm <- relevel(factor(bk$treatment), "TAU")
beat_the_blues <- list(call = "lm(bdi_2m ~ arm + bdi_pre)", n = nrow(bk), rows = nrow(b), pooled_sd = pooled(bk$bdi_2m, bk$arm),
  fit = table_of(lm(bdi_2m ~ arm + bdi_pre, bk)), post_only = table_of(lm(bdi_2m ~ arm, bk)),
  gain = table_of(lm(bdi_2m - bdi_pre ~ arm, bk)), paired = {t <- t.test(bk$bdi_2m, bk$bdi_pre, paired = TRUE)
    list(estimate = unname(t$estimate), statistic = unname(t$statistic), df = unname(t$parameter), p_value = t$p.value)})

j <- read.csv(file.path(dir, "jobs2.csv"))
jobs <- list(call = "lm(depress2 ~ treat + depress1)", n = nrow(j), rows = nrow(j), pooled_sd = pooled(j$depress2, j$treat),
  fit = table_of(lm(depress2 ~ treat + depress1, j)),
  covariates = table_of(lm(depress2 ~ treat + depress1 + age + econ_hard, j)))

a <- read.csv(file.path(dir, "clubSandwich__AchievementAwards2001.csv")); a$sex <- factor(a$sex)
m <- lm(awarded ~ treated + lagscore, a); m2 <- lm(awarded ~ treated + lagscore + sex, a)
w <- Wald_test(m2, constraints = constrain_zero(2:4), vcov = "CR2", cluster = a$school_id, test = "HTZ")
awards <- list(call = "lm(awarded ~ treated + lagscore), CR2 by school_id", n = nrow(a), rows = nrow(a), clusters = length(unique(a$school_id)),
  pooled_sd = pooled(a$awarded, a$treated), fit = robust(m, a$school_id), unadjusted = robust(lm(awarded ~ treated, a), a$school_id),
  open_model = robust(m2, a$school_id), open_model_cr3 = robust(m2, a$school_id, "CR3"), open_model_by_pair = robust(m2, a$pair),
  mixed = mixed(awarded ~ treated + lagscore + (1 | school_id)), mixed_unadjusted = mixed(awarded ~ treated + (1 | school_id)),
  all_slopes = list(statistic = w$Fstat, df_numerator = w$df_num, df_denominator = w$df_denom, p_value = w$p_val))
cat(toJSON(list(R = R.version.string, clubSandwich = as.character(packageVersion("clubSandwich")),
  beat_the_blues = beat_the_blues, jobs = jobs, achievement_awards = awards), digits = I(17), auto_unbox = TRUE, pretty = TRUE), "\n")
