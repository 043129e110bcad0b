# Logistic regression with sampling weights, cluster-robust, by clubSandwich on glm(weights = ); writes weighted.json.
#   Rscript weighted.R
suppressMessages({library(clubSandwich); library(jsonlite)})
d <- read.csv("cr_logit1.csv"); out <- list()
m <- suppressWarnings(glm(y ~ treat + x, binomial, d, weights = 1 + (seq_len(nrow(d)) %% 3) / 2, epsilon = 1e-14))
for (type in c("CR0", "CR2", "CR3")) {
  r <- coef_test(m, vcov = vcovCR(m, cluster = d$cluster, type = type), test = "Satterthwaite")
  out[[type]] <- list(estimate = r$beta, se = r$SE, df = if (is.null(r$df_Satt)) r$df else r$df_Satt)
}
out$versions <- list(R = as.character(getRversion()), clubSandwich = as.character(packageVersion("clubSandwich")))
write_json(out, "weighted.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
