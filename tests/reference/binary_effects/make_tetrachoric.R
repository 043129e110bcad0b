# Tetrachoric correlations by maximum likelihood over all three parameters, variances from the Hessian; psych beside them.
# Run here: Rscript make_tetrachoric.R writes tetrachoric.json.
suppressMessages({library(psych);library(jsonlite)})
tabs <- list(c(12,8,6,14), c(30,70,22,85), c(44,11,30,28), c(3,17,9,11), c(90,60,20,230))
nll <- function(par, t) { R <- par[1]; p11 <- as.numeric(mnormt::pmnorm(c(par[2],par[3]), c(0,0), matrix(c(1,R,R,1),2)))
 r <- pnorm(par[2]); cc <- pnorm(par[3]); p <- c(p11, r-p11, cc-p11, 1-r-cc+p11); -sum(t*log(p)) }
out <- lapply(tabs, function(t){ n<-sum(t); st <- c(0.3*sign(t[1]*t[4]-t[2]*t[3]), qnorm((t[1]+t[2])/n), qnorm((t[1]+t[3])/n))
 o <- optim(st, nll, t=t, method="BFGS", control=list(reltol=1e-14, ndeps=rep(1e-5,3))); H <- optimHess(o$par, nll, t=t, control=list(ndeps=rep(1e-4,3)))
 list(cells=t, rho=o$par[1], variance=solve(H)[1,1], psych=unname(psych::tetrachoric(matrix(t,2,byrow=TRUE),correct=FALSE)$rho)) })
writeLines(toJSON(out, auto_unbox = TRUE, digits = 10, pretty = TRUE), "tetrachoric.json")
