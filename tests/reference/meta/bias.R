# Tests of small-study effects, trim and fill, selection model, leave-one-out and influence by metafor on meta_2 and
# meta_3, one effect per row. Run in this folder:  Rscript bias.R > bias.json
suppressMessages({library(metafor); library(clubSandwich); library(jsonlite)})
num <- function(x) as.numeric(x)
ctl <- list(threshold = 1e-13, maxiter = 5000)
out <- list(versions = list(metafor = as.character(packageVersion("metafor"))))
for (k in 2:3) {
  d <- read.csv(sprintf("meta_%d.csv", k)); d$row <- seq_len(nrow(d)); d$sei <- sqrt(d$vi)
  m <- rma(yi, vi, data = d, control = ctl)
  e <- regtest(m, control = ctl); o <- list(egger = list(z = num(e$zval), p = e$pval, limit = num(e$est)))
  for (s in c("left", "right")) { t <- trimfill(m, side = s, control = ctl)
    o[[paste0("trimfill_", s)]] <- list(k0 = t$k0, b = num(t$beta), se = t$se, tau2 = t$tau2) }
  s <- selmodel(m, type = "stepfun", alternative = "greater", steps = .025)
  o$selection <- list(b = num(s$beta), se = s$se, tau2 = s$tau2, delta = num(s$delta), logLik = num(logLik(s)), LRT = s$LRT, LRTp = s$LRTp)
  V <- vcalc(vi, cluster = study, obs = es, rho = .6, data = d)
  for (x in c("sei", "vi")) {
    d$x <- d[[x]]
    fits <- lapply(list(list(optimizer = "nlminb", rel.tol = 1e-11, iter.max = 1000), list(optimizer = "BFGS", reltol = 1e-13, maxit = 2000)),
      function(ct) tryCatch(suppressWarnings(rma.mv(yi, V, mods = ~x, random = ~1 | study/row, data = d, control = ct)), error = function(e) NULL))
    fits <- Filter(Negate(is.null), fits); f <- fits[[which.max(sapply(fits, function(m) num(logLik(m))))]]
    s <- coef_test(f, vcov = "CR2", cluster = d$study)
    o[[paste0("regression_", x)]] <- list(b = num(f$beta), se = s$SE, df = s$df, p = s$p_Satt)
  }
  if (k == 2) {
    l <- leave1out(m); o$leave_one_out <- list(estimate = num(l$estimate), se = num(l$se), tau2 = num(l$tau2))
    i <- influence(m)$inf; o$influence <- lapply(as.list(i)[c("rstudent", "dffits", "cook.d", "cov.r", "hat")], num)
    q <- cumul(m, order = d$year); o$cumulative <- list(estimate = num(q$estimate), se = num(q$se))
  }
  out[[sprintf("meta_%d", k)]] <- o
}
cat(toJSON(out, auto_unbox = TRUE, digits = 15, na = "null", pretty = TRUE), "\n")
