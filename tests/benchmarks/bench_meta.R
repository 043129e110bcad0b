# Seconds of the processor of metafor and clubSandwich on the csv files of a folder: Rscript bench_meta.R FOLDER
# for every che_<k>.csv: rma.mv (sparse), CR2 t tests, HTZ; for every rma_<k>.csv: rma by REML with three moderators.
suppressMessages({library(metafor); library(clubSandwich); library(jsonlite)})
folder <- commandArgs(TRUE)[1]
clock <- function(code) { t <- system.time(code); unname(t[1] + t[2]) }
out <- list()
for (path in list.files(folder, pattern = "^(che|rma)_.*csv$", full.names = TRUE)) {
  d <- read.csv(path); name <- sub("\\.csv$", "", basename(path))
  if (startsWith(name, "che")) {
    d$row <- seq_len(nrow(d)); V <- impute_covariance_matrix(d$v, cluster = d$study, r = .6, return_list = FALSE)
    fit <- clock(m <- rma.mv(y, V, mods = ~x1 + x2 + x3, random = ~1 | study/row, data = d, sparse = TRUE))
    cr2 <- clock(W <- vcovCR(m, cluster = d$study, type = "CR2")) + clock(s <- coef_test(m, vcov = W))
    htz <- clock(w <- Wald_test(m, constraints = constrain_zero(2:4), vcov = W))
    out[[name]] <- list(fit = fit, cr2 = cr2, htz = htz, estimate = as.numeric(m$beta), se = s$SE, F = w$Fstat, df = w$df_denom)
  } else {
    fit <- clock(m <- rma(y, v, mods = ~x1 + x2 + x3, data = d, test = "knha"))
    out[[name]] <- list(fit = fit, estimate = as.numeric(m$beta), se = m$se)
  }
}
cat(toJSON(out, auto_unbox = TRUE, digits = 12), "\n")
