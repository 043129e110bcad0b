# What lme4 1.1-31, lmerTest, pbkrtest and emmeans 1.8.4 (Debian 12) say of models that the tests of MixedResult fit.
# Run in this folder: Rscript marginal_means.R > marginal_means.json
suppressMessages({library(lme4); library(lmerTest); library(emmeans); library(jsonlite)})
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 2e5))
d <- read.csv(file.path("..", "mixed", "lmm_slope.csv"))
d$arm <- factor(ifelse(d$treat == 1, "program", "usual"), levels = c("usual", "program"))
d$site <- factor(letters[seq_len(nrow(d)) %% 3 + 1])
fit <- function(f, REML = TRUE) lmerTest::lmer(f, d, REML = REML, control = control)
m <- fit(y ~ arm * time + site + (1 + time | id))
table <- function(x, ...) { x <- as.data.frame(summary(x, infer = c(TRUE, TRUE), ...)); names(x) <- sub("\\.trend$", "", names(x)); x }
one <- function(x, ...) { t <- table(x, ...); v <- intersect(c("emmean", "estimate"), names(t))[1]
  list(estimate = t[[v]], se = t$SE, df = t$df, low = t$lower.CL, high = t$upper.CL, p = t$p.value) }
out <- list()
for (how in c("satterthwaite", "kenward-roger")) {
  g <- emmeans(m, ~ arm * time, at = list(time = c(0, 8)), lmer.df = how)
  plain <- emmeans(m, ~ arm, lmer.df = how)
  sites <- emmeans(m, ~ site, lmer.df = how)
  slopes <- emtrends(m, ~ arm, var = "time", lmer.df = how)
  out[[how]] <- list(
    means_at = c(one(g), list(arm = as.character(as.data.frame(g)$arm), time = as.data.frame(g)$time)),
    means = one(plain),
    arms_by_wave = one(contrast(g, "revpairwise", by = "time", adjust = "none")),
    sites_tukey = one(contrast(sites, "revpairwise", adjust = "tukey")),
    sites_holm = one(contrast(sites, "revpairwise", adjust = "holm")),
    sites_reference = one(contrast(sites, "trt.vs.ctrl1", adjust = "none")),
    sites_joint = { t <- as.data.frame(test(contrast(sites, "trt.vs.ctrl1"), joint = TRUE)); list(F = t$F.ratio, num = t$df1, den = t$df2, p = t$p.value) },
    slopes = { t <- as.data.frame(summary(slopes)); list(estimate = t[["time.trend"]], se = t$SE, df = t$df, low = t$lower.CL, high = t$upper.CL) },
    slope_difference = one(contrast(slopes, "revpairwise", adjust = "none")))
}
small <- fit(y ~ arm * time + site + (1 | id)); fixed <- fit(y ~ arm * time + (1 + time | id))
full_ml <- fit(y ~ arm * time + site + (1 + time | id), REML = FALSE); fixed_ml <- fit(y ~ arm * time + (1 + time | id), REML = FALSE)
out$likelihood_ratio <- list(
  slope_reml = 2 * as.numeric(logLik(m) - logLik(small)),
  fixed_ml = 2 * as.numeric(logLik(full_ml) - logLik(fixed_ml)), fixed_df = 2)
Psi <- matrix(as.numeric(VarCorr(m)$id), 2); Z <- cbind(1, d$time); vf <- var(as.numeric(getME(m, "X") %*% fixef(m)))
vr <- mean(rowSums((Z %*% Psi) * Z)); ve <- sigma(m)^2
out$r_squared <- list(marginal = vf / (vf + vr + ve), conditional = (vf + vr) / (vf + vr + ve))
out$predictions <- list(conditional = unname(head(fitted(m), 6)), marginal = unname(head(predict(m, re.form = NA), 6)))
without <- lmerTest::lmer(y ~ arm * time + site + (1 + time | id), subset(d, id != "p03"), control = control)
change <- fixef(without) - fixef(m)
out$influence <- list(unit = "p03", change = unname(change), cooks = as.numeric(t(change) %*% solve(as.matrix(vcov(m))) %*% change / length(change)))
cat(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "\n")
