# Risks standardised over the sample (g-computation) with delta-method standard errors on clubSandwich's CR2 covariance of
# glm, and Satterthwaite df of the linearised contrast; writes standardised.json.
#   Rscript standardised.R
suppressMessages({library(clubSandwich); library(jsonlite)})
out <- list()
for (name in c("cr_logit1", "cr_logit2")) for (right in c("treat + x", "treat * x")) {
  data <- read.csv(paste0(name, ".csv"))
  fit <- glm(as.formula(paste("y ~", right)), binomial, data, control = glm.control(epsilon = 1e-14, maxit = 100))
  V <- vcovCR(fit, data$cluster, "CR2")
  at <- lapply(0:1, function(level) model.matrix(delete.response(terms(fit)), transform(data, treat = level)))
  p <- lapply(at, function(X) plogis(drop(X %*% coef(fit))))
  risk <- sapply(p, mean)
  G <- lapply(1:2, function(k) colMeans(p[[k]] * (1 - p[[k]]) * at[[k]]))
  rows <- list(risk_difference = G[[2]] - G[[1]], risk_ratio = G[[2]] / risk[2] - G[[1]] / risk[1],
    odds_ratio = G[[2]] / (risk[2] * (1 - risk[2])) - G[[1]] / (risk[1] * (1 - risk[1])), risk_0 = G[[1]], risk_1 = G[[2]])
  told <- lapply(rows, function(g) { found <- linear_contrast(fit, vcov = V, contrasts = matrix(g, 1), test = "Satterthwaite")
    list(std_error = found$SE, df = found$df) })
  out[[paste(name, right)]] <- c(list(risk = risk), told)
}
out$versions <- list(R = as.character(getRversion()), clubSandwich = as.character(packageVersion("clubSandwich")))
write_json(out, "standardised.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
