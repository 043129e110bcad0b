# Numbers of metafor and clubSandwich on meta_1 .. meta_4 that fixtures.json does not hold. Run in this folder:
#   Rscript more.R > more.json
suppressMessages({library(metafor); library(clubSandwich); library(jsonlite)})
D <- function(k) read.csv(sprintf("meta_%d.csv", k))
ctl <- list(threshold = 1e-13, maxiter = 5000, stepadj = 1)
# the best of three searches, none of which always ends at the maximum
best <- function(fit) {
  fits <- lapply(list(list(optimizer = "nlminb", rel.tol = 1e-11, iter.max = 1000),
                      list(optimizer = "BFGS", reltol = 1e-13, maxit = 2000),
                      list(optimizer = "Nelder-Mead", reltol = 1e-14, maxit = 5000)),
                 function(ct) tryCatch(suppressWarnings(fit(ct)), error = function(e) NULL))
  fits <- Filter(Negate(is.null), fits)
  fits[[which.max(sapply(fits, function(m) as.numeric(logLik(m))))]]
}
num <- function(x) as.numeric(x)
out <- list(versions = list(metafor = as.character(packageVersion("metafor")),
                            clubSandwich = as.character(packageVersion("clubSandwich"))))

# univariate: estimators with moderators, tests, intervals of tau2, R2
d <- D(2); d$x <- d$level == "indirect"
for (me in c("REML", "ML", "DL", "HE", "SJ", "EB", "HS")) {
  m <- rma(yi, vi, mods = ~x + rct, data = d, method = me, control = ctl)
  out[[paste0("estimator_", me)]] <- list(tau2 = m$tau2, tau2_se = m$se.tau2, b = num(m$beta), se = m$se, R2 = m$R2,
    I2 = m$I2, H2 = m$H2, logLik = num(logLik(m)), QM = m$QM, QMp = m$QMp)
}
m <- rma(yi, vi, data = d, control = ctl)
ci <- confint(m, control = list(tol = 1e-15))$random
out$q_profile <- list(low = num(ci[, "ci.lb"]), high = num(ci[, "ci.ub"]))
d4 <- D(4)
out$adhoc <- with(rma(yi, vi, data = d4, test = "adhoc", control = ctl), list(se = se, QM = QM))
out$t <- with(rma(yi, vi, mods = ~rct, data = d, test = "t", control = ctl), list(se = se, p = pval, QM = QM, QMp = QMp))

# multilevel: ML, crossed, SCE, given covariance, fixed effects only; robust tests of every kind
d <- D(1); d$row <- seq_len(nrow(d))
V <- vcalc(vi, cluster = study, obs = es, rho = .6, data = d)
put <- function(m) list(b = num(m$beta), se = m$se, sigma2 = num(m$sigma2), tau2 = num(m$tau2), logLik = num(logLik(m)), Q = m$QE)
out$ml <- put(best(function(ct) rma.mv(yi, V, mods = ~level, random = ~1 | study/row, data = d, method = "ML", control = ct)))
d$scale <- (d$row * 7) %% 5
out$crossed <- put(best(function(ct) rma.mv(yi, V, random = list(~1 | study, ~1 | scale, ~1 | row), data = d, control = ct)))
out$sce <- put(best(function(ct) rma.mv(yi, V, mods = ~0 + level, random = list(~level | study, ~1 | row), struct = "DIAG", data = d, control = ct)))
out$none <- put(rma.mv(yi, V, mods = ~rct, data = d))
S <- V; S[1, 2] <- S[2, 1] <- .011; S[4, 6] <- S[6, 4] <- .01
out$given <- put(best(function(ct) rma.mv(yi, S, random = ~1 | study/row, data = d, control = ct)))
m <- best(function(ct) rma.mv(yi, V, mods = ~level + rct, random = ~1 | study/row, data = d, control = ct))
out$sigma2 <- num(m$sigma2)
for (ty in c("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")) {
  W <- vcovCR(m, cluster = d$study, type = ty); s <- coef_test(m, vcov = W, test = "Satterthwaite")
  out[[paste0("robust_", ty)]] <- list(se = s$SE, df = s$df, p = s$p_Satt)
}
w <- Wald_test(m, constraints = constrain_zero(2:3), vcov = "CR2", cluster = d$study, test = c("chi-sq", "Naive-F", "HTZ"))
out$wald <- list(test = w$test, F = w$Fstat, df = w$df_denom, p = w$p_val)
d$first <- as.numeric(d$study == "study02")
m <- best(function(ct) rma.mv(yi, V, mods = ~first + rct, random = ~1 | study/row, data = d, control = ct))
s <- coef_test(m, vcov = "CR2", cluster = d$study)
out$alone <- list(b = num(m$beta), se = s$SE, df = s$df)
d$team <- (as.integer(factor(d$study)) * 3) %% 11
m <- best(function(ct) rma.mv(yi, V, mods = ~level, random = ~1 | study/row, data = d, control = ct))
s <- coef_test(m, vcov = "CR2", cluster = d$team)
out$team <- list(se = s$SE, df = s$df)
# subgroup correlated effects: errors and effects of different groups are independent
VS <- vcalc(vi, cluster = study, subgroup = level, obs = es, rho = .6, data = d)
m <- best(function(ct) rma.mv(yi, VS, mods = ~0 + level, random = ~level | study, struct = "DIAG", data = d, control = ct))
s <- coef_test(m, vcov = "CR2", cluster = d$study)
out$sce_published <- c(put(m), list(robust_se = s$SE, df = s$df))

# difference within the studies that have both levels
x <- as.numeric(d$level == "indirect"); both <- ave(x, d$study); use <- both > 0 & both < 1
w <- d[use, ]; w$inside <- (x - both)[use]; VW <- V[use, use]
m <- best(function(ct) rma.mv(yi, VW, mods = ~inside, random = ~1 | study/row, data = w, control = ct))
s <- coef_test(m, vcov = "CR2", cluster = w$study)
out$within <- list(b = num(m$beta)[2], se = s$SE[2], df = s$df[2], p = s$p_Satt[2], k = nrow(w))

# shares of variance, intervals of variance components, averages of studies
m <- best(function(ct) rma.mv(yi, V, random = ~1 | study/row, data = d, control = ct))
W <- solve(V); X <- model.matrix(m); P <- W - W %*% X %*% solve(t(X) %*% W %*% X) %*% t(X) %*% W
out$i2 <- 100 * m$sigma2 / (sum(m$sigma2) + (m$k - m$p) / sum(diag(P)))
ci <- confint(m)
out$profile <- lapply(ci[1:2], function(z) num(z$random[1, 2:3]))
out$aggregate <- as.list(aggregate(escalc(measure = "GEN", yi = yi, vi = vi, data = d), cluster = study, V = V)[c("yi", "vi")])
cat(toJSON(out, auto_unbox = TRUE, digits = 15, na = "null", pretty = TRUE), "\n")
