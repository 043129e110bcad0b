# The nonoverlap indices of 1,000 cases of 25 measurements in SingleCaseES, where the package is there.
if (!requireNamespace("SingleCaseES", quietly = TRUE)) stop("SingleCaseES is not installed.")
set.seed(1)
cases <- 1000
frame <- data.frame(case = rep(seq_len(cases), each = 25), phase = rep(rep(c("A", "B"), c(10, 15)), cases),
                    time = rep(1:25, cases))
frame$y <- rnorm(nrow(frame), ifelse(frame$phase == "A", 10, 12), 2)
print(system.time(SingleCaseES::batch_calc_ES(frame, grouping = case, condition = phase, outcome = y,
  session_number = time, baseline_phase = "A", intervention_phase = "B",
  ES = c("NAP", "Tau", "Tau-BC", "Tau-U", "PND", "PEM", "PAND", "IRD"), warn = FALSE)))
