(()=>{for(const f of document.querySelectorAll("figure.steps:not([data-on])")){
f.dataset.on="";const list=f.querySelector("ol"),steps=[...list.children],
last=steps.length-1,all=list.dataset.rest==="all",first=all?-1:0;
let at=first,timer=0;
const add=(to,tag,said,set={})=>{const e=document.createElement(tag);
e.textContent=said;for(const k in set)e.setAttribute(k,set[k]);to.append(e);return e},
bar=document.createElement("div"),
go=n=>{at=Math.max(first,Math.min(last,n));
list.classList.toggle("one",at>=0);
steps.forEach((s,k)=>s.classList.toggle("on",k===at));
now.textContent=at<0?"All steps. Next shows one at a time."
:`Step ${at+1} of ${last+1}. `+steps[at].querySelector("p").textContent
.replace(/^\d+\. /,"");
back.setAttribute("aria-disabled",at===first);
next.setAttribute("aria-disabled",at===last);
if(slide){slide.value=at;slide.setAttribute("aria-valuetext",now.textContent)}},
stop=()=>{clearInterval(timer);timer=0;play.textContent="Play"},
by=n=>{stop();go(n)};
bar.className="bar";bar.setAttribute("role","group");
bar.setAttribute("aria-label","Steps of the picture");
const back=add(bar,"button","Back",{type:"button"}),
next=add(bar,"button","Next",{type:"button"}),
play=add(bar,"button","Play",{type:"button",class:"play"}),
slide=last>4?add(bar,"input","",{type:"range",min:0,max:last,"aria-label":"Step"})
:null,now=document.createElement("p");
now.className="now";now.setAttribute("aria-live","polite");
list.before(bar,now);
back.onclick=()=>by(at-1);next.onclick=()=>by(at+1);
play.onclick=()=>{if(timer)return stop();if(at===last)go(first);
play.textContent="Stop";go(at+1);
timer=setInterval(()=>{go(at+1);if(at===last)stop()},all?2500:1100)};
if(slide)slide.oninput=()=>by(+slide.value);
f.addEventListener("keydown",e=>{if(e.target===slide)return;
const to={ArrowLeft:at-1,ArrowRight:at+1,Home:first,End:last,
Escape:first}[e.key];
if(to===undefined||e.altKey||e.ctrlKey||e.metaKey)return;
e.preventDefault();by(to)});
go(first)}})()
