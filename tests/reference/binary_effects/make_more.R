# Members of metafor's families that fixtures.json does not hold, on inputs of our own. Run here: Rscript make_more.R
# Writes more.json. Measures whose formulas later versions changed (PCOR, ZPCOR, SMCRH, SMD1H) and UCOR (needs gsl) are left out.
suppressMessages({library(metafor); library(jsonlite)})
arms <- list(n1i = c(5, 12, 30, 60), n2i = c(7, 12, 18, 55), m1i = c(22.7, 22.8, 19.8, 20.8), m2i = c(20.5, 21.6, 20.2, 19.3),
             sd1i = c(1.5, 5.5, 5.9, 8.2), sd2i = c(3.7, 3.8, 3.1, 3.9))
tables <- list(ai = c(12, 5, 0, 30, 44), bi = c(8, 15, 20, 70, 11), ci = c(6, 9, 4, 22, 30), di = c(14, 11, 17, 85, 28))
times <- list(x1i = c(4, 0, 30), t1i = c(50, 20.5, 410), x2i = c(11, 3, 22), t2i = c(60, 18, 395))
counts <- list(xi = c(10, 0, 20, 7), ni = c(40, 15, 20, 33))
rates <- list(xi = c(4, 0, 30), ti = c(50, 20.5, 410))
means <- list(mi = c(14, 3.2, 40), sdi = c(5, 2.5, 11), ni = c(30, 8, 120))
cors <- list(ri = c(0.187, -0.45, 0.62, 0.05), ni = c(109, 12, 40, 7))
semi <- list(ti = c(2.5, -1.1, 0.4), ni = c(60, 35, 120), mi = c(4, 2, 7), r2i = c(0.30, 0.22, 0.11))
moments <- list(m1i = c(38.5, 26.8), m2i = c(30.6, 23.5), sd1i = c(11.6, 4.1), sd2i = c(15, 3.1), ni = c(20, 50), ri = c(0.47, 0.64))
cases <- list(
  c("RR", "LS", "tables"), c("OR", "LS", "tables"), c("RD", "UB", "tables"), c("RD", "AV", "tables"), c("PHI", "ST", "tables"),
  c("MPRD", "LS", "tables"), c("MPRR", "LS", "tables"), c("MPOR", "LS", "tables"), c("MPORC", "LS", "tables"), c("MPPETO", "LS", "tables"),
  c("IRR", "LS", "times"), c("IRD", "LS", "times"), c("IRSD", "LS", "times"),
  c("PR", "LS", "counts"), c("PLN", "LS", "counts"), c("PLO", "LS", "counts"), c("PAS", "LS", "counts"), c("PFT", "LS", "counts"),
  c("IR", "LS", "rates"), c("IRLN", "LS", "rates"), c("IRS", "LS", "rates"), c("IRFT", "LS", "rates"),
  c("MN", "LS", "means"), c("MNLN", "LS", "means"), c("SMN", "LS", "means"), c("CVLN", "LS", "means"), c("SDLN", "LS", "means"),
  c("ROM", "HO", "arms"), c("ROM", "AV", "arms"), c("ROM", "AVHO", "arms"), c("VR", "LS", "arms"), c("CVR", "LS", "arms"),
  c("RPB", "ST", "arms"), c("RPB", "CS", "arms"), c("RBIS", "LS", "arms"), c("D2ORN", "LS", "arms"),
  c("COR", "LS", "cors"), c("COR", "AV", "cors"), c("ZCOR", "LS", "cors"),
  c("SPCOR", "LS", "semi"), c("ROMC", "LS", "moments"), c("VRC", "LS", "moments"), c("CVRC", "LS", "moments"))
out <- lapply(cases, function(k) {
  e <- do.call(escalc, c(list(measure = k[1], vtype = k[2]), get(k[3])))
  list(measure = k[1], vtype = k[2], inputs = k[3], yi = as.numeric(e$yi), vi = as.numeric(e$vi))
})
mcnemar <- sapply(1:5, function(i) with(tables, mcnemar.test(matrix(c(ai[i], bi[i], ci[i], di[i]), 2), correct = FALSE)$p.value))
score <- sapply(1:5, function(i) with(tables, { m <- matrix(c(ai[i], bi[i], ci[i], di[i]), 2); n <- sum(m)
  pchisq(suppressWarnings(chisq.test(m, correct = FALSE)$statistic) * (n - 1) / n, 1, lower.tail = FALSE) }))
set.seed(7); a <- rnorm(12, 10, 2); b <- a * .6 + rnorm(12, 5, 3)
x <- as.numeric(scale(rnorm(12))) * 5.5; y <- as.numeric(scale(rnorm(12))) * 3.8; v <- var.test(x, y)
pm <- cor.test(a + b, a - b)
write(toJSON(list(
  made_with = paste("R", getRversion(), "metafor", packageVersion("metafor")),
  inputs = list(tables = tables, times = times, counts = counts, rates = rates, means = means, cors = cors, semi = semi, arms = arms, moments = moments),
  escalc = out, mcnemar_p = mcnemar, chi_square_n_minus_1_p = score,
  f_test = list(sd1 = 5.5, n1 = 12, sd2 = 3.8, n2 = 12, p = v$p.value, low = v$conf.int[1], high = v$conf.int[2]),
  pitman_morgan = list(after = b, before = a, p = pm$p.value, t = -unname(pm$statistic)),
  fisher_z = list(r = cor(a, b), n = 12, limits = cor.test(a, b)$conf.int)
), auto_unbox = TRUE, digits = NA, pretty = TRUE), "more.json")
