(()=>{for(const f of document.querySelectorAll(".pointat:not([data-on])")){
f.dataset.on="";const o=[...f.querySelectorAll(".o")],
w=+f.querySelector("svg").dataset.columns,
m={ArrowLeft:-1,ArrowRight:1,ArrowUp:-w,ArrowDown:w};
o.forEach((g,i)=>{if(i)g.setAttribute("tabindex","-1");
g.addEventListener("keydown",e=>{
const t=e.key==="Home"?o[0]:e.key==="End"?o[o.length-1]:o[i+m[e.key]];
if(!t)return;e.preventDefault();g.setAttribute("tabindex","-1");
t.setAttribute("tabindex","0");t.focus()})})}})()
